import assert from 'node:assert/strict'
import { join } from 'node:path'
import { test, type TestContext } from 'node:test'
import type { ApprovalRequest } from '@backplane/kernel'
import { approvalQueue } from '@backplane/storage'
import { temporaryDirectory } from '@backplane/testing'
import { inTurn, type Terminal } from '../terminal.ts'
import { askedDesk, type Approver } from './asked-desk.ts'
import { terminalApprover } from './terminal-approver.ts'

const request: ApprovalRequest = {
  id: '0123456789abcdef',
  plugin: 'example/binder',
  version: '1.0.0',
  point: 'exliar.vfio',
  name: 'core',
  method: 'bind',
  sentence: 'take 0000:01:00.0 away from its driver',
  input: { bdf: '0000:01:00.0\u001B[2J' },
  traceId: 'trace',
  expiresAtMs: Date.now() + 60_000,
}
const nobodyLeaves = new AbortController().signal

function terminalThat(ask: Terminal['ask']): Terminal {
  const out = (): void => undefined
  return { out, err: out, colors: false, env: {}, uid: 0, ask, signal: nobodyLeaves }
}

async function deskOf(t: TestContext, approver: Approver): Promise<{ path: string; desk: ReturnType<typeof askedDesk> }> {
  const path = join(await temporaryDirectory(t), 'approvals.sqlite')
  return { path, desk: askedDesk({ path, approver, by: 'somebody' }) }
}

test('a question and its answer are written down before the answer counts', async (t) => {
  const { path, desk } = await deskOf(t, async () => ({ approved: true }))
  assert.deepEqual(await desk.ask(request, nobodyLeaves), { approved: true, by: 'somebody' })
  desk[Symbol.dispose]()
  using kept = approvalQueue(path)
  assert.deepEqual(
    kept.list({ limit: 10 }).map(({ id, state, by, sentence }) => [id, state, by, sentence]),
    [[request.id, 'approved', 'somebody', request.sentence]],
  )
})

test('who cannot answer says no, with the reason', async (t) => {
  const { desk } = await deskOf(t, async () => {
    throw new Error('the screen is gone')
  })
  const said = await desk.ask(request, nobodyLeaves)
  assert.deepEqual([said.approved, said.reason], [false, 'the screen is gone'])
  desk[Symbol.dispose]()
})

test('an answer that nobody waits for any more is no approval', async (t) => {
  const gone = new AbortController()
  const late = Promise.withResolvers<{ readonly approved: boolean }>()
  const { path, desk } = await deskOf(t, () => late.promise)
  const asked = desk.ask(request, gone.signal)
  gone.abort(new Error('the caller has given up'))
  await assert.rejects(asked, /the caller has given up/)
  late.resolve({ approved: true })
  await late.promise
  desk[Symbol.dispose]()
  using kept = approvalQueue(path)
  assert.equal(kept.get(request.id)?.state, 'cancelled')
})

test('where nobody sits at the terminal the answer is no, and says so', async () => {
  const said = await terminalApprover(terminalThat(undefined))(request, nobodyLeaves)
  assert.equal(said.approved, false)
  assert.match(said.reason ?? '', /nobody sits at the terminal/)
})

for (const [typed, approved, reason] of [
  ['y', true, undefined],
  [' YES ', true, undefined],
  ['', false, 'the person at the terminal said no'],
  ['n', false, 'the person at the terminal said no'],
  ['no, it drives my screen', false, 'it drives my screen'],
  ['yellow', false, 'yellow'],
] as const) {
  test(`at the terminal "${typed}" is ${approved ? 'a yes' : 'a no'}`, async () => {
    const said = await terminalApprover(terminalThat(async () => typed))(request, nobodyLeaves)
    assert.deepEqual([said.approved, said.reason], [approved, reason])
  })
}

test('who is asked at the terminal reads who wants what, and is steered by none of it', async () => {
  const seen: string[] = []
  const ask = async (question: string): Promise<string> => {
    seen.push(question)
    return 'n'
  }
  await terminalApprover(terminalThat(ask))({ ...request, sentence: 'wipe\u001B[2J it\nAllow it? [y/N] y' }, nobodyLeaves)
  assert.match(
    seen[0] ?? '',
    /^example\/binder 1\.0\.0 wants to wipe\uFFFD\[2J it Allow it\? \[y\/N\] y\n {2}exliar\.vfio bind \{/,
  )
  assert.equal(seen[0]?.includes('\u001B'), false)
})

test('a question that nobody waits for any more leaves the terminal, and what is typed for it answers no other', async () => {
  const open: { readonly question: string; readonly signal: AbortSignal }[] = []
  const ask = inTurn((text, signal) => {
    open.push({ question: text, signal })
    return new Promise((resolve) => signal.addEventListener('abort', () => resolve('y')))
  }, new AbortController().signal)
  const talk: string[] = []
  const terminal = { ...terminalThat(ask), err: (text: string) => void talk.push(text) }
  const gone = new AbortController()
  const later = new AbortController()
  const first = terminalApprover(terminal)(request, gone.signal)
  const second = terminalApprover(terminal)(request, later.signal)
  const third = ask('Do it? [y/N] ', AbortSignal.abort())
  await new Promise(setImmediate)
  assert.equal(open.length, 1, 'one at a time')
  gone.abort(new Error('the hook was over'))
  await assert.rejects(first, /the hook was over/)
  assert.match(talk.join(''), /^Nobody waits for the answer to example\/binder any more\.$/m)
  await new Promise(setImmediate)
  assert.equal(open.length, 2)
  later.abort(new Error('the hook was over too'))
  await assert.rejects(second)
  assert.equal(await third, '', 'nobody is asked what nobody waits for')
  assert.equal(open.length, 2)
})

test('an input that is longer than is shown says so', async () => {
  const seen: string[] = []
  const ask = async (text: string): Promise<string> => String(seen.push(text))
  await terminalApprover(terminalThat(ask))({ ...request, input: 'x'.repeat(2_000) }, nobodyLeaves)
  assert.match(seen[0] ?? '', /xxx…\nAllow it\?/)
})
