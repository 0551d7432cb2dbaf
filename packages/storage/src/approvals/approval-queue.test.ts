import assert from 'node:assert/strict'
import { stat } from 'node:fs/promises'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { test } from 'node:test'
import type { ApprovalRequest } from '@backplane/kernel'
import { anything, defineProvider, unary, type Scope } from '@backplane/sdk'
import { temporaryDirectory, testKernel, type InlinePlugin } from '@backplane/testing'
import { approvalQueue, type ApprovalQueue } from '../index.ts'

const { signal } = new AbortController()
let newest = 0
/** Mark of a process that there is not. */
const gone = '1 0 earlier'

function question(parts: Partial<ApprovalRequest> = {}): ApprovalRequest {
  newest += 1
  return {
    id: newest.toString(16).padStart(16, '0'),
    plugin: 'demo/one',
    version: '1.0.0',
    point: 'demo.disks',
    name: 'core',
    method: 'wipe',
    sentence: 'wipe the disk sda',
    input: { disk: 'sda' },
    traceId: 'a'.repeat(32),
    expiresAtMs: 600_000,
    ...parts,
  }
}

/** Asks, and does not look at what becomes of it. */
function leaveOpen(queue: ApprovalQueue, asked: ApprovalRequest): void {
  queue.ask(asked, signal).catch(() => undefined)
}

test('a question waits until it is decided, and then stays with who decided and why', async (t) => {
  const path = join(await temporaryDirectory(t), 'data', 'approvals.sqlite')
  let nowMs = 1_000
  const asked = question()
  {
    using queue = approvalQueue(path, { now: () => nowMs })
    const answering = queue.ask(asked, signal)
    const { version, ...rest } = asked
    const open = { ...rest, version, state: 'pending', askedAtMs: 1_000, decidedAtMs: null, by: null, reason: null } as const
    assert.deepEqual(queue.list({ state: 'pending', limit: 10 }), [open])
    nowMs = 2_000
    const decision = queue.decide(asked.id, { approved: false, by: 'ann', reason: 'in use' })
    const denied = { ...open, state: 'denied', decidedAtMs: 2_000, by: 'ann', reason: 'in use' }
    assert.deepEqual(decision, { decided: true, entry: denied })
    assert.deepEqual(await answering, { approved: false, by: 'ann', reason: 'in use' })
    assert.deepEqual(queue.decide(asked.id, { approved: true, by: 'bob' }), { decided: false, entry: denied })
    assert.equal(queue.decide('0'.repeat(16), { approved: true, by: 'bob' }), undefined)
  }
  using again = approvalQueue(path)
  assert.deepEqual([again.get(asked.id)?.state, again.get(asked.id)?.by], ['denied', 'ann'])
  assert.equal((await stat(path)).mode & 0o777, 0o600)
})

test('what a process that was killed left open is abandoned, and nobody can approve it any more', async (t) => {
  const path = join(await temporaryDirectory(t), 'approvals.sqlite')
  const asked = question()
  const killed = approvalQueue(path, { process: gone })
  void killed.ask(asked, signal)
  using next = approvalQueue(path)
  assert.equal(next.get(asked.id)?.state, 'abandoned')
  assert.deepEqual(next.abandoned, [next.get(asked.id)])
  using third = approvalQueue(path)
  assert.deepEqual(third.abandoned, [], 'it is told once')
  assert.equal(next.decide(asked.id, { approved: true, by: 'ann' })?.decided, false)
  assert.deepEqual(next.list({ state: 'pending', limit: 10 }), [])
})

test('what another process closed as left behind is not done, whoever approves it', async (t) => {
  const path = join(await temporaryDirectory(t), 'approvals.sqlite')
  using asking = approvalQueue(path, { process: gone })
  const asked = question()
  const answering = asking.ask(asked, signal)
  using other = approvalQueue(path)
  assert.equal(other.abandoned.length, 1)
  const outcome = asking.decide(asked.id, { approved: true, by: 'ann' })
  assert.deepEqual([outcome?.decided, outcome?.entry.state, outcome?.entry.by], [false, 'abandoned', null])
  assert.deepEqual(await answering, { approved: false, reason: 'the question was closed meanwhile' })
})

test('a question of a process that lives stays open, whoever opens or closes the file beside it', async (t) => {
  const path = join(await temporaryDirectory(t), 'approvals.sqlite')
  using asking = approvalQueue(path)
  const [asked, left] = [question(), question()]
  const answer = asking.ask(asked, signal)
  {
    const killed = approvalQueue(path, { process: gone })
    void killed.ask(left, signal)
    using other = approvalQueue(path)
    assert.deepEqual(
      other.abandoned.map(({ id }) => id),
      [left.id],
      'of two that are open only the one whose process has ended',
    )
    assert.equal(other.decide(asked.id, { approved: true, by: 'ann' })?.decided, false, 'only who asked can be told')
  }
  assert.equal(asking.get(asked.id)?.state, 'pending')
  assert.equal(asking.decide(asked.id, { approved: true, by: 'ann' })?.decided, true)
  assert.deepEqual(await answer, { approved: true, by: 'ann' })
})

test('what an older version left open is nobody’s', async (t) => {
  const path = join(await temporaryDirectory(t), 'approvals.sqlite')
  const asked = question()
  {
    const older = approvalQueue(path)
    leaveOpen(older, asked)
    using database = new DatabaseSync(path)
    database.exec('DROP TABLE askers')
  }
  using next = approvalQueue(path)
  assert.equal(next.get(asked.id)?.state, 'abandoned')
})

test('who gives up, and whose time is over, is told apart; a late decision decides nothing', async () => {
  using queue = approvalQueue(':memory:')
  const [left, late] = [question(), question()]
  const [leaving, expiring] = [new AbortController(), new AbortController()]
  const asking = [queue.ask(left, leaving.signal), queue.ask(late, expiring.signal)]
  leaving.abort()
  expiring.abort(Object.assign(new Error('too late'), { code: 'APPROVAL_EXPIRED' }))
  const outcomes = await Promise.allSettled(asking)
  assert.ok(outcomes.every(({ status }) => status === 'rejected'))
  assert.deepEqual([queue.get(left.id)?.state, queue.get(late.id)?.state], ['cancelled', 'expired'])
  assert.equal(queue.decide(late.id, { approved: true, by: 'ann' })?.decided, false)
  assert.throws(() => queue.ask(question(), AbortSignal.abort()), { name: 'AbortError' })
  assert.equal(queue.list({ limit: 10 }).length, 2, 'what nobody waits for is not asked')
})

test('a plugin has so many questions open, and the host so many; a flood of one leaves room for others', () => {
  using queue = approvalQueue(':memory:', { pendingPerPlugin: 3, pending: 5, asksPerMinute: 100 })
  for (let at = 0; at < 3; at += 1) leaveOpen(queue, question())
  for (let at = 0; at < 50; at += 1)
    assert.throws(() => queue.ask(question(), signal), { code: 'APPROVALS_FULL', message: /demo\/one has 3/ })
  leaveOpen(queue, question({ plugin: 'demo/two' }))
  leaveOpen(queue, question({ plugin: 'demo/two' }))
  assert.throws(() => queue.ask(question({ plugin: 'demo/three' }), signal), {
    code: 'APPROVALS_FULL',
    message: /the host has 5/,
  })
  const [first] = queue.list({ plugin: 'demo/one', limit: 1 })
  queue.decide(first?.id ?? '', { approved: false, by: 'ann' })
  leaveOpen(queue, question({ plugin: 'demo/three' }))
  assert.equal(queue.list({ state: 'pending', limit: 10 }).length, 5)
})

test('a plugin that asks and gives up again and again is stopped too, until a minute is over', async () => {
  let nowMs = 0
  using queue = approvalQueue(':memory:', { asksPerMinute: 10, now: () => nowMs })
  const askAndLeave = async (): Promise<void> => {
    const leaving = new AbortController()
    const asking = queue.ask(question(), leaving.signal)
    leaving.abort()
    await assert.rejects(asking)
  }
  for (let at = 0; at < 10; at += 1) await askAndLeave()
  await assert.rejects(askAndLeave(), { code: 'APPROVALS_TOO_MANY', message: /demo\/one asked 10 times/ })
  leaveOpen(queue, question({ plugin: 'demo/two' }))
  nowMs = 60_001
  await askAndLeave()
})

test('closed questions are kept up to a number, open ones always', () => {
  using queue = approvalQueue(':memory:', { kept: 3, pendingPerPlugin: 99, asksPerMinute: 99 })
  const open = question()
  leaveOpen(queue, open)
  for (let at = 0; at < 10; at += 1) {
    const asked = question()
    leaveOpen(queue, asked)
    queue.decide(asked.id, { approved: true, by: 'ann' })
  }
  leaveOpen(queue, question())
  assert.equal(queue.list({ state: 'approved', limit: 100 }).length, 3)
  assert.equal(queue.get(open.id)?.state, 'pending')
})

test('values of secrets and inputs too large to read are not kept', () => {
  using queue = approvalQueue(':memory:', { redact: (text) => text.replaceAll('canary', '[redacted]') })
  const asked = question({ sentence: 'log in with canary', input: { password: 'canary"', deep: ['canary'] } })
  leaveOpen(queue, asked)
  queue.decide(asked.id, { approved: false, by: 'ann', reason: `canary ${'x'.repeat(600)}` })
  const kept = queue.get(asked.id)
  assert.ok(!JSON.stringify(kept).includes('canary'))
  assert.deepEqual(kept?.input, { password: '[redacted]"', deep: ['[redacted]'] })
  assert.equal(kept.reason?.length, 500)
  const large = question({ input: 'x'.repeat(70_000) })
  leaveOpen(queue, large)
  assert.equal(queue.get(large.id)?.input, '(70002 characters, not kept)')
})

test('a question that cannot be written is not asked, and one whose decision cannot be written is not decided', async (t) => {
  const path = join(await temporaryDirectory(t), 'approvals.sqlite')
  using queue = approvalQueue(path, { busyTimeoutMs: 1 })
  const asked = question()
  let isAnswered = false
  void queue.ask(asked, signal).then(() => (isAnswered = true))
  {
    using other = new DatabaseSync(path)
    other.exec('BEGIN IMMEDIATE')
    assert.throws(() => queue.decide(asked.id, { approved: true, by: 'ann' }), { code: 'STORE_BUSY' })
    assert.throws(() => queue.ask(question(), signal), { code: 'STORE_BUSY' })
    await new Promise((resolve) => setImmediate(resolve))
    assert.equal(isAnswered, false)
  }
  assert.equal(queue.decide(asked.id, { approved: true, by: 'ann' })?.decided, true)
})

test('a queue that is closed asks nobody, and tells those who wait', async () => {
  const queue = approvalQueue(':memory:')
  const asking = queue.ask(question(), signal)
  queue[Symbol.dispose]()
  queue[Symbol.dispose]()
  await assert.rejects(asking, { code: 'STORE_CLOSED' })
  assert.throws(() => queue.ask(question(), signal), { code: 'STORE_CLOSED' })
})

test('through a kernel, a plugin that floods keeps nobody else out, and is told on once a second', async () => {
  using queue = approvalQueue(':memory:', { pendingPerPlugin: 2 })
  const disks = defineProvider('demo.disks', { wipe: unary(anything, anything, { approval: (disk) => `wipe ${String(disk)}` }) })
  const scopes = new Map<string, Scope>()
  const user = (id: string): InlinePlugin => ({ manifest: { id }, setup: (scope) => void scopes.set(id, scope) })
  const core: InlinePlugin = {
    manifest: { id: 'demo/core', contributes: { 'demo.disks': { core: {} } } },
    setup: (scope) => scope.provide(disks, 'core', { wipe: (disk) => disk }),
  }
  const approvals = { desk: queue }
  await using t = await testKernel({ points: [disks], plugins: [core, user('demo/loud'), user('demo/quiet')], approvals })
  await Promise.all([t.kernel.plugins.start('demo/loud'), t.kernel.plugins.start('demo/quiet')])
  const wipe = (id: string): Promise<unknown> => scopes.get(id)?.use(disks, 'core').wipe('sda') ?? assert.fail()
  const flood = Array.from({ length: 100 }, () => wipe('demo/loud'))
  const outcomes = Promise.allSettled(flood)
  const quiet = wipe('demo/quiet')
  const { approval } = await t.event('approval.asked', ({ plugin }) => plugin === 'demo/quiet')
  queue.decide(approval, { approved: true, by: 'ann' })
  assert.equal(await quiet, 'sda')
  for (const { id } of queue.list({ state: 'pending', limit: 10 })) queue.decide(id, { approved: false, by: 'ann' })
  const codes = (await outcomes).map((one) => (one.status === 'rejected' ? Reflect.get(Object(one.reason), 'code') : one.status))
  assert.equal(codes.filter((code) => code === 'APPROVALS_FULL').length, 98)
  assert.equal(codes.filter((code) => code === 'APPROVAL_DENIED').length, 2)
  const told = t.events().filter(({ type }) => type === 'call.refused' || type.startsWith('approval.'))
  assert.equal(told.length, 7, 'three questions, three answers, one refusal')
})
