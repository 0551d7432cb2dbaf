import assert from 'node:assert/strict'
import { test, type TestContext } from 'node:test'
import type { ApprovalAnswer } from '@backplane/kernel'
import { approvalQueue, type ApprovalQueue } from '@backplane/storage'
import { backplane, type Ran, type RunOptions } from './fixtures/run-backplane.ts'
import { smallHost } from './fixtures/small-host.ts'

interface Asked {
  readonly queue: ApprovalQueue
  readonly run: (args: readonly string[], options?: RunOptions) => Promise<Ran>
  /** Asks whether the disk may be wiped. */
  readonly ask: (disk: string) => Promise<ApprovalAnswer>
}

const idOf = (disk: string): string => Buffer.from(disk).toString('hex')

async function asked(t: TestContext): Promise<Asked> {
  const queue = approvalQueue(':memory:')
  t.after(() => queue[Symbol.dispose]())
  const { socket } = await smallHost(t, { approvals: queue })
  const { signal } = new AbortController()
  const about = { plugin: 'demo/one', version: '1.0.0', point: 'demo.disks', name: 'core', method: 'wipe' }
  const ask = (disk: string): Promise<ApprovalAnswer> =>
    queue.ask(
      {
        ...about,
        id: idOf(disk),
        sentence: `wipe the disk ${disk}`,
        input: { disk: `${disk}\u009b2K` },
        traceId: 'a'.repeat(32),
        expiresAtMs: Date.now() + 600_000,
      },
      signal,
    )
  return { queue, ask, run: (args, options) => backplane(args, { env: { BACKPLANE_SOCKET: socket }, ...options }) }
}

test('approvals lists what waits, shows it in full, and approves or denies it with a reason', async (t) => {
  const { ask, run, queue } = await asked(t)
  const [first, second] = [ask('sda'), ask('sdb')]
  const { out, code } = await run(['approvals'])
  assert.equal(code, 0)
  assert.match(out, /^ID +ASKED +STATE +WHO +WANTS TO\n736462 +\S+ +pending +demo\/one +wipe the disk sdb\n736461 /)
  const shown = await run(['approvals', 'show', idOf('sda')])
  assert.match(
    shown.out,
    /who +demo\/one 1\.0\.0\nwants to +wipe the disk sda\nby +wipe of demo\.disks "core"\nwith +\{"disk":"sda/,
  )
  assert.ok(!shown.out.includes('\u009b'))
  const denied = await run(['approvals', 'deny', idOf('sda'), '--reason', 'in use'])
  assert.deepEqual([denied.code, denied.out], [0, 'denied: demo/one wants to wipe the disk sda\n'])
  assert.deepEqual(await first, { approved: false, by: 'unix socket', reason: 'in use' })
  assert.equal((await run(['approvals', 'approve', idOf('sdb')])).code, 0)
  assert.equal((await second).approved, true)
  const again = await run(['approvals', 'approve', idOf('sda')])
  assert.notEqual(again.code, 0)
  assert.match(again.err, /SERVER_APPROVAL_DECIDED: .*denied by unix socket/)
  assert.deepEqual(JSON.parse((await run(['approvals', '--json'])).out), { approvals: [], count: 0 })
  const all = JSON.parse((await run(['approvals', 'list', '--state', 'all', '--plugin', 'demo/one', '--json'])).out)
  assert.deepEqual(
    all.approvals.map(({ state }: { readonly state: string }) => state),
    ['approved', 'denied'],
  )
  assert.equal(queue.list({ limit: 10 }).length, 2)
})

test('approvals refuses what it does not know, and has examples', async (t) => {
  const { run } = await asked(t)
  assert.match((await run(['approvals', 'approve', 'ff'])).err, /SERVER_APPROVAL_UNKNOWN/)
  assert.equal((await run(['approvals', 'list', '--state', 'open'])).code, 2)
  assert.equal((await run(['approvals', 'deny'])).code, 2)
  for (const verb of ['list', 'show', 'approve', 'deny']) {
    assert.match((await run(['approvals', verb, '--help'])).out, new RegExp(`Examples:\\n  backplane approvals ${verb}`))
  }
})

test('approvals --watch asks whoever sits there; only y and n decide, and who was first is told', async (t) => {
  const { ask, run, queue } = await asked(t)
  const waiting = [ask('sda'), ask('sdb'), ask('sdc')]
  for (const one of waiting) one.catch(() => undefined)
  const decided = Promise.all(waiting.slice(0, 2))
  const { err } = await run(['approvals', '--watch'], {
    answers: ['y', 'N', 'in use', ''],
    breakWhen: decided.then(() => undefined),
  })
  assert.deepEqual(
    (await decided).map(({ approved, reason }) => [approved, reason]),
    [
      [true, undefined],
      [false, 'in use'],
    ],
  )
  assert.match(err, /wants to +wipe the disk sda[^]*736461 approved\n[^]*736462 denied\n/)
  assert.equal(queue.get(idOf('sdc'))?.state, 'pending')
})

test('approvals --watch without a terminal only prints, a JSON a line where that is wanted', async (t) => {
  const { ask, run } = await asked(t)
  ask('sda').catch(() => undefined)
  const onOutput: RunOptions['onOutput'] = (_, breakOff) => breakOff()
  assert.equal((await run(['approvals', '--watch'], { onOutput })).out, '736461  demo/one wants to wipe the disk sda\n')
  const { out } = await run(['approvals', '--watch', '--json'], { onOutput })
  assert.equal(JSON.parse(out).sentence, 'wipe the disk sda')
})
