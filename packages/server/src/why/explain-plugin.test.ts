import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { KernelEvent, PluginRecord, RecordedEvent } from '@backplane/kernel'
import { demoKernel } from '../fixtures/demo-kernel.ts'
import { explainPlugin } from './explain-plugin.ts'
import type { Finding } from './finding.ts'

/** One that runs and that nothing speaks against. */
async function healthy(t: Parameters<typeof demoKernel>[0]): Promise<PluginRecord> {
  const { kernel } = await demoKernel(t)
  const found = kernel.plugins.get('demo/one')
  assert.ok(found)
  return { ...found, manifest: found.manifest, enforcement: [] }
}

const recorded = (...events: readonly KernelEvent[]): readonly RecordedEvent[] =>
  events.map((event, index) => ({ seq: index + 1, atMs: 1_000 * index, event }))
const faults = (findings: readonly Finding[]): readonly string[] =>
  findings.filter(({ weight }) => weight === 'fault').map(({ what }) => what)

test('one that runs and that nothing speaks against has one finding: that it runs', async (t) => {
  const findings = explainPlugin(await healthy(t), [])
  assert.deepEqual(
    findings.map(({ weight, what }) => [weight, what]),
    [['fine', 'demo/one 1.0.0 runs.']],
  )
})

test('a limit that was gone over is told with the newest numbers, what was done, the ceiling and who keeps it', async (t) => {
  const one: PluginRecord = {
    ...(await healthy(t)),
    violations: { memory: 3 },
    enforcement: [{ what: 'limit:memory', level: 'exact', mechanism: 'cgroup v2 memory.max' }],
  }
  const about = { type: 'limit.exceeded', plugin: 'demo/one', generation: 1, limit: 'memory', count: 1 } as const
  const events = recorded(
    { ...about, detail: 'held 300 MiB of 256 MiB', action: 'restart' },
    { ...about, plugin: 'demo/two', detail: 'held 900 MiB of 256 MiB', action: 'warn' },
    { ...about, detail: 'held 310 MiB of 256 MiB', action: 'restart' },
  )
  const [, finding] = explainPlugin(one, events)
  assert.ok(finding)
  assert.deepEqual([finding.weight, finding.what], ['fault', 'It went over its limit of memory 3 times.'])
  assert.equal(finding.because, 'It held 310 MiB of 256 MiB.')
  assert.deepEqual(
    finding.evidence.map(({ seq, text }) => [seq, text.slice(0, 23)]),
    [
      [3, 'held 310 MiB of 256 MiB'],
      [1, 'held 300 MiB of 256 MiB'],
      [undefined, 'its limit is 192 (memor'],
      [undefined, 'kept by cgroup v2 memor'],
    ],
  )
})

test('slowness is told by its cause: waiting calls, the processor, a standing event loop, memory', async (t) => {
  const one = await healthy(t)
  const usage = {
    atMs: 0,
    cpuPercent: 99,
    cpuMs: 1,
    memoryBytes: 250 * 1024 ** 2,
    heapBytes: 1,
    processes: 1,
    openFiles: 1,
    stallMs: 900,
  }
  const slow = { ...one, usage, counters: { ...one.counters, active: 256, queued: 7 } }
  assert.deepEqual(faults(explainPlugin(slow, [])), [
    '7 calls wait for a slot.',
    'It uses all the processor it may.',
    'Its event loop stands still at times.',
    'It holds nearly all the memory it may.',
  ])
  const easy = { ...one, usage: { ...usage, cpuPercent: 40, memoryBytes: 1, stallMs: 3 } }
  assert.deepEqual(faults(explainPlugin(easy, [])), [])
})

test('a version that was taken back is told with the figures, and a pin and a failed update with their reason', async (t) => {
  const one = await healthy(t)
  const failure = { stage: 'probation', code: 'UPDATE_WORSE', message: 'slower', hint: 'Correct it.' } as const
  const held = {
    why: 'moved back',
    to: { version: '1.0.0', digest: 'a' },
    against: { version: '2.0.0' },
    sinceMs: 0,
  } as const
  const moved = { type: 'plugin.moved-back', plugin: 'demo/one', from: '2.0.0', to: '1.0.0', reason: 'slow' } as const
  const events = recorded({ ...moved, evidence: 'p99 900 ms instead of 20 ms' })
  const [, back] = explainPlugin({ ...one, held }, events)
  assert.equal(back?.what, 'Version 1.0.0 serves though the sources have 2.0.0.')
  assert.match(back?.evidence[0]?.text ?? '', /p99 900 ms instead of 20 ms/)
  const [, failed, pinned] = explainPlugin({ ...one, pinned: '1.0.0', update: { version: '2.0.0', atMs: 0, failure } }, [])
  assert.deepEqual([failed?.because, failed?.hint], ['Slower. (UPDATE_WORSE, stage probation)', 'Correct it.'])
  assert.equal(pinned?.what, 'It is pinned to 1.0.0.')
})

test('a version that could not be started is told with what was wrong and what mends it', async (t) => {
  const one = await healthy(t)
  const failure = {
    stage: 'check',
    code: 'API_INCOMPATIBLE',
    message: 'demo/one needs API ^9.0.0',
    hint: 'Build it for 1.',
  } as const
  const held = { to: { version: '1.0.0', digest: 'a' }, against: { version: '2.0.0' }, sinceMs: 0 } as const
  const update = { version: '2.0.0', atMs: 0, failure }
  const [, failed] = explainPlugin({ ...one, held: { ...held, why: 'failed', update } }, [])
  assert.equal(failed?.because, 'Version 2.0.0 could not be started: demo/one needs API ^9.0.0. (API_INCOMPATIBLE, stage check)')
  assert.equal(failed.hint, 'Build it for 1.')
  const [, waiting] = explainPlugin({ ...one, held: { ...held, why: 'not approved' } }, [])
  assert.match(waiting?.hint ?? '', /`backplane approve demo\/one`/)
})

test('what is not kept where it runs, an open breaker and bad health are told', async (t) => {
  const one: PluginRecord = {
    ...(await healthy(t)),
    enforcement: [{ what: 'net:connect', level: 'none', mechanism: 'a thread of the host' }],
    breakers: [{ point: 'demo.echo', name: 'one', state: 'open', failures: 5, retryAtMs: 5_000 }],
    health: { atMs: 0, failures: 2, problem: 'the database is gone' },
  }
  const findings = explainPlugin(one, [])
  assert.deepEqual(faults(findings), ['It does not do well.', 'demo.echo "one" is not asked for now.'])
  assert.equal(findings.at(-1)?.what, 'Nothing holds it to net:connect.')
})

test('of one in audit mode it is not said that its sandbox keeps Node from it where it may start programs', async (t) => {
  const one: PluginRecord = { ...(await healthy(t)), audit: { isOn: true } }
  const because = (exec: readonly string[]): string | undefined =>
    explainPlugin({ ...one, grants: { ...one.grants, exec } }, []).find(({ what }) => what === 'It runs in audit mode.')?.because
  assert.match(because([]) ?? '', /kept from it by its sandbox, not by Node's permission model too\.$/)
  assert.match(because(['echo']) ?? '', /too; Node itself it can start, in the same sandbox, because it may start programs\.$/)
})

test('what a policy waived or let pass is told, and what nobody waived is not', async (t) => {
  const one: PluginRecord = {
    ...(await healthy(t)),
    enforcement: [
      { what: 'sandbox', level: 'coarse', mechanism: 'Landlock; waived by policy' },
      { what: 'limit:memory', level: 'coarse', mechanism: 'a look from time to time' },
    ],
    trust: { level: 'unsigned', waived: ['allowUnsigned: directory:/srv/plugins/*'] },
  }
  const told = explainPlugin(one, []).slice(1)
  assert.deepEqual(
    told.map(({ what, evidence }) => `${what} ${evidence.map(({ text }) => text).join()}`),
    [
      'It is held only coarsely to sandbox. sandbox: Landlock; waived by policy',
      'It runs though nobody known signed it. allowUnsigned: directory:/srv/plugins/*',
    ],
  )
  const signed = explainPlugin({ ...one, enforcement: [], trust: { level: 'signed', publisher: 'Acme', waived: [] } }, [])
  assert.equal(signed.length, 1)
})

test('profiles that were taken of it by themselves are named', async (t) => {
  const [, finding] = explainPlugin(await healthy(t), [], { profiles: ['demo~one-2026-stall.cpuprofile'] })
  assert.deepEqual(
    [finding?.what, finding?.evidence],
    ['It was profiled by itself once.', [{ text: 'demo~one-2026-stall.cpuprofile' }]],
  )
})

test('a stall that is over is still the reason why a plugin was slow, with its time', async (t) => {
  const one = await healthy(t)
  const [, finding] = explainPlugin({ ...one, worstStall: { ms: 1_500, atMs: 0 } }, [])
  assert.deepEqual([finding?.weight, finding?.what], ['notice', 'Its event loop stands still at times.'])
  assert.deepEqual(finding?.evidence, [{ text: '1500 ms at 1970-01-01T00:00:00.000Z, the longest of ten minutes', atMs: 0 }])
})

test('one that the settings keep off is not to be enabled, and an id stays as it is written', async (t) => {
  const one = await healthy(t)
  const off = (reason: string): PluginRecord => ({ ...one, state: { name: 'disabled', reason } })
  const hint = (reason: string): string | undefined => explainPlugin(off(reason), [])[0]?.hint
  assert.equal(hint('it is on the deny-list'), "Change the allow-list or deny-list in the host's settings.")
  assert.equal(hint('the host runs in safe mode, without external plugins'), 'Start the host without safe mode.')
  assert.equal(hint('it was disabled'), 'Enable demo/one.')
  const failure = { stage: 'check', code: 'API_INCOMPATIBLE', message: 'demo/one needs API ^9.0.0' } as const
  const [failed] = explainPlugin({ ...one, state: { name: 'failed', failure } }, [])
  assert.equal(failed?.because, 'demo/one needs API ^9.0.0. (API_INCOMPATIBLE)')
})

test('one that nobody approved is told with the commands that show and approve what it asks for', async (t) => {
  const one = await healthy(t)
  const reason = 'version 1.0.0 asks for permissions that nobody approved: exec rclone'
  const [finding] = explainPlugin({ ...one, state: { name: 'blocked', reason, permissions: ['exec rclone'] } }, [])
  assert.equal(finding?.what, 'demo/one waits for approval.')
  assert.match(finding.hint ?? '', /`backplane permissions demo\/one`.*`backplane approve demo\/one`/)
})

test('calls that failed are told with what each said, and what it was not granted with what its manifest must do', async (t) => {
  const one = await healthy(t)
  const failure = { atMs: 0, point: 'demo.echo', method: 'say' } as const
  const recentFailures = [
    { ...failure, code: 'ENOENT', message: 'no such file' },
    { ...failure, code: 'ERR_ACCESS_DENIED', message: 'Access to this API has been restricted' },
  ]
  const [, finding] = explainPlugin({ ...one, counters: { ...one.counters, calls: 4, errors: 2 }, recentFailures }, [])
  assert.deepEqual(
    finding?.evidence.map(({ text }) => text),
    ['calls 4, errors 2', 'say: Access to this API has been restricted (ERR_ACCESS_DENIED)', 'say: no such file (ENOENT)'],
  )
  assert.match(finding?.hint ?? '', /its manifest must ask for that/)
})

test('what it waits for a person with is told, and what was denied with the reason; what was approved is not', async (t) => {
  const one = await healthy(t)
  const about = { plugin: 'demo/one', point: 'demo.disks', name: 'core', method: 'wipe', traceId: '' } as const
  const ask = (approval: string): KernelEvent => ({ ...about, type: 'approval.asked', approval, sentence: `wipe ${approval}` })
  const end = { ...about, type: 'approval.ended' } as const
  const events = recorded(
    ask('sda'),
    { ...end, approval: 'sda', outcome: 'denied', by: 'ann', reason: 'in use' },
    ask('sdb'),
    { ...end, approval: 'sdb', outcome: 'approved', by: 'ann' },
    ask('sdc'),
  )
  const [, open, refused, ...rest] = explainPlugin(one, events)
  assert.deepEqual([open?.what, open?.evidence.map(({ text }) => text)], ['It waits for a person once.', ['sdc: wipe sdc']])
  assert.deepEqual(
    refused?.evidence.map(({ seq, text }) => [seq, text]),
    [[2, 'wipe sda: denied, in use']],
  )
  assert.deepEqual(rest, [])
})
