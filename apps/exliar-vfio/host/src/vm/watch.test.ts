import assert from 'node:assert/strict'
import { mkdirSync, readdirSync, writeFileSync } from 'node:fs'
import { connect } from 'node:net'
import { join } from 'node:path'
import { Readable } from 'node:stream'
import { test, type TestContext } from 'node:test'
import { temporaryDirectory } from '@backplane/testing'
import { VmConfig, type VmStats } from '@exliar-vfio/points'
import { readWatchTask, runWatch, type WatchOptions, type WatchTask } from './run-watch.ts'
import { startWatch } from './start-watch.ts'
import { runVmHook, type HookOptions } from './vm-hook.ts'
import { tellWatch } from './watch-socket.ts'
import { watchPlaces } from './watch-state.ts'

const uuid = '8f1d1c9e-8d7a-4d3a-9a55-0f3a2f8e5c11'
const config = VmConfig.parse({
  name: 'win',
  uuid,
  hypervisor: 'kvm',
  memory_mib: 0,
  vcpus: 0,
  machine: '',
  devices: [{ bdf: '0000:01:00.0' }],
  features: { kvm_hidden: false, hypervisor_hidden: false, hyperv_vendor_id: null },
  extra_arguments: [],
})
const xml = `<domain type='kvm'><name>win</name><uuid>${uuid}</uuid></domain>`
const at = '2026-01-01T00:00:00.000Z'
const later = '2026-01-01T00:01:30.500Z'

interface Watching {
  readonly events: string[]
  readonly told: VmStats[]
  readonly over: Promise<VmStats | undefined>
  readonly socket: string
  readonly directory: string
}

async function watching(t: TestContext, given: Partial<WatchOptions> = {}): Promise<Watching> {
  const directory = await temporaryDirectory(t)
  const events: string[] = []
  const told: VmStats[] = []
  const ready = Promise.withResolvers<void>()
  const over = runWatch({
    task: { kind: 'run', directory, config, started_at: null },
    ready: () => ready.resolve(),
    state: () => Promise.resolve({ state: 'shut off', reason: 'shutdown' }),
    log: (message) => void events.push(message),
    onStart: () => Promise.resolve(void events.push('start')),
    onEnd: (stats) => Promise.resolve(void told.push(stats)),
    ...given,
  })
  over.catch((error: unknown) => ready.reject(error))
  await ready.promise
  return { events, told, over, socket: watchPlaces(directory, uuid).socket, directory }
}

test('a run is told with its length, and who ended it as libvirt says', async (t) => {
  const { told, over, socket, events, directory } = await watching(t)
  assert.equal(await tellWatch(socket, { kind: 'started', at }, 5_000), true)
  assert.equal(await tellWatch(socket, { kind: 'stopped', at: later }, 5_000), true)
  assert.equal(await tellWatch(socket, { kind: 'released', at: later, reason: null }, 5_000), true)
  assert.deepEqual(readdirSync(directory), [], 'the next start may listen there at once')
  const stats = await over
  assert.deepEqual(stats, {
    name: 'win',
    uuid,
    started_at: at,
    ended_at: later,
    runtime_seconds: 90.5,
    ended_by: 'shutdown',
    devices: config.devices,
  })
  assert.deepEqual([told, events], [[stats], ['start']])
})

test('a reason that the hook was given is believed; a machine that never ran has failed', async (t) => {
  const crashed = await watching(t)
  await tellWatch(crashed.socket, { kind: 'started', at }, 5_000)
  await tellWatch(crashed.socket, { kind: 'released', at: later, reason: 'crashed' }, 5_000)
  assert.equal((await crashed.over)?.ended_by, 'crashed')
  const never = await watching(t)
  await tellWatch(never.socket, { kind: 'released', at: later, reason: null }, 5_000)
  const stats = await never.over
  assert.deepEqual([stats?.ended_by, stats?.runtime_seconds, stats?.started_at], ['failed', 0, null])
})

test('an end that no hook tells of is seen when libvirt says twice that the machine is off', async (t) => {
  let asked = 0
  const { over } = await watching(t, {
    task: { kind: 'run', directory: await temporaryDirectory(t), config, started_at: at },
    state: () =>
      Promise.resolve(++asked === 1 ? { state: 'running', reason: 'booted' } : { state: 'shut off', reason: 'destroyed' }),
    limits: { checkEveryMs: 5 },
  })
  assert.equal((await over)?.ended_by, 'destroyed')
  assert.ok(asked >= 3)
})

test('a machine that does not run by the deadline never will', async (t) => {
  const off = (): Promise<{ state: string; reason: string }> => Promise.resolve({ state: 'shut off', reason: 'failed' })
  const { over } = await watching(t, { state: off, limits: { checkEveryMs: 5, startMs: 20 } })
  assert.equal((await over)?.ended_by, 'failed')
})

test('callbacks that fail or hang are said, and keep neither the watch nor each other', async (t) => {
  const { over, socket, events } = await watching(t, {
    onStart: () => Promise.reject(new Error('no')),
    onEnd: () => new Promise(() => undefined),
    limits: { callbackMs: 20 },
  })
  await tellWatch(socket, { kind: 'released', at, reason: 'destroyed' }, 5_000)
  await over
  assert.deepEqual(events, ['the start of a run was not told', 'the end of a run was not told'])
})

test('a watch that is asked to end tells nobody: the run goes on', async (t) => {
  const stop = new AbortController()
  const { over, told, directory } = await watching(t, { signal: stop.signal })
  stop.abort()
  assert.equal(await over, undefined)
  assert.deepEqual([told, readdirSync(directory)], [[], []])
})

test('what is no news is answered as such, and a line without end is cut off', async (t) => {
  const { over, socket } = await watching(t)
  assert.equal(await tellWatch(socket, { kind: 'nonsense', at } as never, 5_000), false)
  const closed = Promise.withResolvers<void>()
  const flood = connect(socket, () => flood.write('x'.repeat(100_000)))
  flood.on('error', () => undefined).on('close', () => closed.resolve())
  await closed.promise
  assert.equal(await tellWatch(socket, { kind: 'released', at, reason: 'destroyed' }, 5_000), true)
  await over
  assert.equal(await tellWatch(socket, { kind: 'started', at }, 5_000), false, 'nobody hears')
})

test('a watch that cannot listen, is not told what to do, or does not begin says so', async (t) => {
  const directory = await temporaryDirectory(t)
  const tooLong = join(directory, 'x'.repeat(120))
  mkdirSync(tooLong)
  const task: WatchTask = { kind: 'run', directory: tooLong, config, started_at: null }
  await assert.rejects(watching(t, { task }), { code: 'VM_WATCH_FAILED' })
  await assert.rejects(readWatchTask(Readable.from(['{"kind":"run"}'])), { code: 'VM_WATCH_FAILED' })
  const endless = Readable.from(
    (function* () {
      for (;;) yield 'x'.repeat(1024 * 1024)
    })(),
  )
  await assert.rejects(readWatchTask(endless), { code: 'VM_WATCH_FAILED' })
  const launch = { task: { ...task, directory }, timeoutMs: 200 }
  for (const command of [['/nonesuch'], ['/bin/true'], ['/bin/sleep', '60']]) {
    await assert.rejects(startWatch({ ...launch, command }), { code: 'VM_WATCH_FAILED' })
  }
})

async function hookOptions(t: TestContext, given: Partial<HookOptions> = {}): Promise<HookOptions> {
  const preStart: HookOptions['preStart'] = (now) => Promise.resolve({ config: now, changes: [] })
  return { directory: await temporaryDirectory(t), facts: () => undefined, preStart, watchCommand: ['/bin/false'], ...given }
}

test('a call that libvirt would not make is refused', async (t) => {
  const options = await hookOptions(t)
  const invalid = { code: 'VM_HOOK_CALL_INVALID' }
  await assert.rejects(runVmHook({ args: ['win', 'prepare'], xml }, options), invalid)
  await assert.rejects(runVmHook({ args: ['other', 'prepare', 'begin', '-'], xml }, options), invalid)
  const escaping = xml.replace(uuid, '../../etc/passwd')
  await assert.rejects(runVmHook({ args: ['win', 'prepare', 'begin', '-'], xml: escaping }, options), invalid)
  await assert.rejects(runVmHook({ args: ['win', 'prepare', 'begin', '-'], xml: 'no' }, options), { code: 'VM_XML_INVALID' })
  assert.deepEqual(await runVmHook({ args: ['win', 'migrate', 'begin', '-'], xml: '' }, options), { exitCode: 0, messages: [] })
})

test('plugins that do not answer in time, or want what cannot be, refuse the start', async (t) => {
  const prepare = { args: ['win', 'prepare', 'begin', '-'], xml }
  const silent = await hookOptions(t, { preStart: () => new Promise(() => undefined), limits: { preStartMs: 10 } })
  assert.equal((await runVmHook(prepare, silent)).refusal?.code, 'VM_START_REFUSED')
  const fixed = await hookOptions(t, { preStart: (now) => Promise.resolve({ config: { ...now, vcpus: 64 }, changes: [] }) })
  const { refusal, exitCode } = await runVmHook(prepare, fixed)
  assert.match(refusal?.message ?? '', /vcpus of win was to become 64/)
  assert.equal(exitCode, 100)
  const unprepared = await hookOptions(t, {
    preStart: (now) => Promise.resolve({ config: { ...now, extra_arguments: ['-x'] }, changes: [{ plugin: 'p', fields: [] }] }),
  })
  assert.equal((await runVmHook(prepare, unprepared)).refusal?.code, 'VM_NOT_PREPARED')
})

test('a watch that does not begin, and a memory that is not ours to read, stop no machine', async (t) => {
  const options = await hookOptions(t)
  const places = watchPlaces(options.directory, uuid)
  writeFileSync(places.state, '{"prepared_at":7}')
  const { exitCode, messages } = await runVmHook({ args: ['win', 'prepare', 'begin', '-'], xml }, options)
  assert.equal(exitCode, 0)
  assert.match(messages.join(), /the run of win cannot be watched/)
  writeFileSync(places.state, 'not JSON')
  assert.equal((await runVmHook({ args: ['win', 'release', 'end', '-'], xml }, options)).exitCode, 0)
  const unwatched = await hookOptions(t, { watches: () => false })
  assert.deepEqual(await runVmHook({ args: ['win', 'prepare', 'begin', '-'], xml }, unwatched), { exitCode: 0, messages: [] })
  assert.deepEqual(await runVmHook({ args: ['win', 'release', 'end', '-'], xml }, unwatched), { exitCode: 0, messages: [] })
})
