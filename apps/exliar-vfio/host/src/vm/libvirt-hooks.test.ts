import assert from 'node:assert/strict'
import { readdirSync, readFileSync, rmSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { after, test } from 'node:test'
import { processStarted } from '@backplane/storage'
import { requireLibvirt } from '@backplane/testing'
import { withHypervisorHidden, withKvmHidden, withVendorId, VmDevice } from '@exliar-vfio/points'
import { definedDifferences, domainDifferences } from './same-domain.ts'
import { cleanup } from '../changes/undo.ts'
import { domainChanges } from './fixtures/domain-changes.ts'
import { startHookedLibvirt, type HookedLibvirt } from './fixtures/hooked-libvirt.ts'
import { untilGone } from './fixtures/until-gone.ts'
import { prepareMachine, startMachine, withdrawAfterRun, type PreStart } from './start-machine.ts'
import { connectVirsh } from './virsh.ts'
import { WatchState } from './watch-state.ts'

const facts = (): undefined => undefined

// Starting one takes longer than most of what is tested with it.
let shared: Promise<HookedLibvirt> | undefined
after(async () => (await shared)?.stop())

/** The libvirt of all tests here, as if it had just been started: each leaves its machine as it was. */
async function hooked(): Promise<HookedLibvirt> {
  shared ??= startHookedLibvirt()
  const libvirt = await shared
  libvirt.forget()
  return libvirt
}

function hooksCalled({ log }: HookedLibvirt): string[] {
  return log()
    .filter(({ event }) => event === 'hook')
    .map(({ fields }) => (fields as string[]).slice(0, 3).join(' '))
}

function uuidOf({ virsh }: HookedLibvirt): string {
  return virsh('domuuid', '--domain', 'tiny').trim()
}

function watchState(libvirt: HookedLibvirt): WatchState {
  const file = join(libvirt.directory, 'run', `${uuidOf(libvirt)}.json`)
  return WatchState.parse(JSON.parse(readFileSync(file, 'utf8')))
}

test('a run is asked about, watched and told, in order; the watch is its user’s alone and ends', async (t) => {
  if (!requireLibvirt(t)) return
  const libvirt = await hooked()
  const uuid = uuidOf(libvirt)
  libvirt.virsh('start', 'tiny', '--paused')
  const state = watchState(libvirt)
  assert.ok(state.process)
  assert.equal(processStarted(state.process.pid), state.process.started)
  const run = join(libvirt.directory, 'run')
  assert.equal(statSync(run).mode & 0o777, 0o700)
  for (const suffix of ['json', 'sock', 'log']) assert.equal(statSync(join(run, `${uuid}.${suffix}`)).mode & 0o777, 0o600)
  libvirt.virsh('destroy', 'tiny')
  const stats = await libvirt.ended()
  assert.deepEqual(hooksCalled(libvirt), ['tiny prepare begin', 'tiny started begin', 'tiny stopped end', 'tiny release end'])
  const events = libvirt.log().map(({ event }) => event)
  assert.deepEqual(
    events.filter((event) => event !== 'hook'),
    ['pre-vm-start', 'start', 'end'],
  )
  assert.equal(stats.ended_by, 'destroyed')
  assert.equal(stats.uuid, uuid)
  const runtime = (Date.parse(stats.ended_at) - Date.parse(stats.started_at ?? '')) / 1000
  assert.equal(stats.runtime_seconds, runtime)
  assert.ok(runtime > 0)
  await untilGone(state.process.pid)
  assert.deepEqual(readdirSync(run), [`${uuid}.log`])
})

test('a veto stops a start, and a change that was not made beforehand unless it may; only a run is told of', async (t) => {
  if (!requireLibvirt(t)) return
  const libvirt = await hooked()
  libvirt.behave({ veto: 'the card <0000:01:00.0> hangs' })
  assert.throws(() => libvirt.virsh('start', 'tiny'), /tiny is not started: nvidia-handler: the card <0000:01:00.0> hangs/)
  assert.equal(libvirt.virsh('domstate', 'tiny').trim(), 'shut off')
  libvirt.behave({ hides: true })
  assert.throws(
    () => libvirt.virsh('start', 'tiny'),
    /nvidia-handler would change features.kvm_hidden.*exliar vm start tiny.*exliar vm prepare tiny/,
  )
  libvirt.behave({ hides: true, unprepared: 'allow' })
  libvirt.virsh('start', 'tiny', '--paused')
  libvirt.virsh('destroy', 'tiny')
  assert.equal((await libvirt.ended()).ended_by, 'destroyed')
  assert.equal(libvirt.log().filter(({ event }) => event === 'end').length, 1)
})

test('an exliar that is missing stops a start only where it is to, and libvirt shows why', async (t) => {
  if (!requireLibvirt(t)) return
  const libvirt = await hooked()
  libvirt.installHook({ command: ['/nonesuch/exliar'], isFailClosed: true })
  assert.throws(() => libvirt.virsh('start', 'tiny'), /exliar: .*its plugins were not asked/)
  libvirt.installHook({ command: ['/nonesuch/exliar'] })
  libvirt.virsh('start', 'tiny', '--paused')
  libvirt.virsh('destroy', 'tiny')
})

test('a prepared machine starts with the change, and has its own configuration again after the run', async (t) => {
  if (!requireLibvirt(t)) return
  const libvirt = await hooked()
  libvirt.behave({ hides: true })
  const virsh = connectVirsh({ uri: libvirt.uri })
  const before = await virsh.dumpXml('tiny', { withPasswords: true })
  const { define, withdraw } = await domainChanges(t, virsh)
  const preStart: PreStart = (config) =>
    Promise.resolve({
      config: withVendorId(withHypervisorHidden(withKvmHidden(config)), '123456789ab'),
      changes: [{ plugin: 'nvidia-handler', fields: [] }],
    })
  const show = (): Promise<void> => Promise.resolve()
  const { step, uuid } = await startMachine('tiny', { virsh, facts, preStart, show, define, withdraw })
  assert.ok(step)
  const running = libvirt.virsh('dumpxml', 'tiny')
  for (const line of [
    "<hidden state='on'/>",
    "<vendor_id state='on' value='123456789ab'/>",
    "policy='disable' name='hypervisor'",
  ]) {
    assert.ok(running.includes(line), line)
  }
  libvirt.virsh('destroy', 'tiny')
  await libvirt.ended()
  assert.equal(await withdrawAfterRun({ virsh, uuid, withdraw }), true)
  assert.equal(await virsh.dumpXml('tiny', { withPasswords: true }), before, 'to the byte')
})

test('what libvirt adds to a new device by itself is no change by somebody else; what a person edits is', async (t) => {
  if (!requireLibvirt(t)) return
  const libvirt = await hooked()
  const virsh = connectVirsh({ uri: libvirt.uri })
  const { define, withdraw, open } = await domainChanges(t, virsh)
  const preStart: PreStart = (config) => {
    const devices = ['10000:01:00.0', '0000:02:00.1'].map((bdf) => VmDevice.parse({ bdf, rom_bar: false }))
    return Promise.resolve({ config: { ...config, devices, extra_arguments: ['-name', "a'b<&"] }, changes: [] })
  }
  const { step, uuid } = await prepareMachine('tiny', { virsh, facts, preStart })
  assert.ok(step)
  await define(step, 'restore')
  const left = await virsh.dumpXml('tiny')
  assert.notDeepEqual(domainDifferences(step.xml, left), [], 'libvirt added something')
  assert.deepEqual(definedDifferences(step.xml, left), [], 'and only what it adds by itself')
  await virsh.define(left.replace('<acpi/>', ''))
  await assert.rejects(withdraw(uuid), { code: 'VM_CHANGED_MEANWHILE', message: /\/features\/acpi/ })
  await virsh.define(left)
  await using changes = await open()
  assert.equal((await cleanup(changes)).complete, true)
  assert.equal(await virsh.dumpXml('tiny', { withPasswords: true }), step.was)
})

test('a hypervisor that dies is a crash, and a machine that ran before the hook was there ends with what is known', async (t) => {
  if (!requireLibvirt(t)) return
  const libvirt = await hooked()
  libvirt.virsh('start', 'tiny', '--paused')
  const state = join(libvirt.directory, 'run', `${uuidOf(libvirt)}.json`)
  const { process: watch } = watchState(libvirt)
  assert.ok(watch)
  process.kill(watch.pid, 'SIGKILL')
  await untilGone(watch.pid)
  rmSync(state)
  process.kill(Number(readFileSync(join(libvirt.root, 'run/libvirt/qemu/run/tiny.pid'), 'utf8')), 'SIGKILL')
  const stats = await libvirt.ended()
  assert.deepEqual([stats.ended_by, stats.started_at, stats.runtime_seconds], ['crashed', null, null])
})
