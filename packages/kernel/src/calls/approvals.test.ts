import assert from 'node:assert/strict'
import { test } from 'node:test'
import { defineProvider, PlatformError, stream, unary, type Schema, type Scope } from '@backplane/sdk'
import { testKernel, type InlinePlugin, type TestKernel, type TestKernelOptions } from '@backplane/testing'
import { count, guarded, text } from '../fixtures/demo-points.ts'
import type { ApprovalAnswer, ApprovalDesk, ApprovalOptions, ApprovalRequest, KernelEvent } from '../index.ts'

interface Wanted {
  readonly disk: string
  readonly note?: unknown
}

const wanted: Schema<Wanted> = guarded(
  'must name a disk',
  (value): value is Wanted => typeof Reflect.get(Object(value), 'disk') === 'string',
)
const disks = defineProvider('demo.disks', {
  list: unary(text, text),
  wipe: unary(wanted, text, { approval: ({ disk }) => `wipe the disk ${disk}`, timeoutMs: 1_000 }),
  erase: stream(count, count, { approval: (number) => `erase ${number} disks` }),
  odd: unary(text, text, {
    approval: (value) => (value === 'throw' ? assert.fail('no words') : value === 'nothing' ? (undefined as never) : value),
  }),
})

/** Keeps what it is asked, and answers when the test says so. */
class Desk implements ApprovalDesk {
  readonly asked: { readonly request: ApprovalRequest; readonly signal: AbortSignal }[] = []
  readonly #answers: PromiseWithResolvers<ApprovalAnswer>[] = []
  #next = Promise.withResolvers<void>()

  readonly ask: ApprovalDesk['ask'] = (request, signal) => {
    const answer = Promise.withResolvers<ApprovalAnswer>()
    this.asked.push({ request, signal })
    this.#answers.push(answer)
    this.#next.resolve()
    this.#next = Promise.withResolvers()
    return answer.promise
  }

  async until(number: number): Promise<ApprovalRequest> {
    while (this.asked.length < number) await this.#next.promise
    return this.asked[number - 1]?.request ?? assert.fail()
  }

  async answer(number: number, answer: ApprovalAnswer): Promise<ApprovalRequest> {
    const request = await this.until(number)
    this.#answers[number - 1]?.resolve(answer)
    return request
  }

  async fail(number: number, error: unknown): Promise<void> {
    await this.until(number)
    this.#answers[number - 1]?.reject(error)
  }
}

interface Stage extends AsyncDisposable {
  readonly t: TestKernel
  readonly desk: Desk
  readonly scope: Scope
  /** What was really done, in order. */
  readonly done: string[]
  readonly approvalEvents: () => readonly KernelEvent[]
}

async function stage(parts: Partial<ApprovalOptions> | 'nobody' = {}, options: TestKernelOptions = {}): Promise<Stage> {
  const desk = new Desk()
  const given = Promise.withResolvers<Scope>()
  const done: string[] = []
  const user: InlinePlugin = { manifest: { id: 'demo/user', version: '2.1.0' }, setup: (scope) => given.resolve(scope) }
  const core: InlinePlugin = {
    manifest: { id: 'demo/core', contributes: { 'demo.disks': { core: {} } } },
    setup: (scope) => {
      async function* erase(number: number): AsyncIterable<number> {
        done.push('erase')
        yield number
      }
      const wipe = ({ disk }: Wanted): string => (done.push(disk), `wiped ${disk}`)
      scope.provide(disks, 'core', { list: () => 'all', wipe, erase, odd: (value) => (done.push(value), value) })
    },
  }
  const approvals = parts === 'nobody' ? {} : { approvals: { desk, ...parts } }
  const t = await testKernel({ points: [disks], plugins: [core, user], ...approvals, ...options })
  await t.kernel.plugins.start('demo/user')
  const approvalEvents = (): readonly KernelEvent[] => t.events().filter(({ type }) => type.startsWith('approval.'))
  const scope = await given.promise
  return { t, desk, scope, done, approvalEvents, [Symbol.asyncDispose]: () => t[Symbol.asyncDispose]() }
}

test('a critical call waits until a person has approved it; ask and answer are events of one question', async () => {
  await using s = await stage()
  const calling = s.scope.use(disks, 'core').wipe({ disk: 'sda' }, { traceId: 'a'.repeat(32) })
  const { id, expiresAtMs, ...request } = await s.desk.until(1)
  assert.match(id, /^[0-9a-f]{16}$/)
  assert.equal(expiresAtMs, s.t.clock.now() + 600_000)
  assert.deepEqual(request, {
    plugin: 'demo/user',
    version: '2.1.0',
    point: 'demo.disks',
    name: 'core',
    method: 'wipe',
    sentence: 'wipe the disk sda',
    input: { disk: 'sda' },
    traceId: 'a'.repeat(32),
  })
  assert.deepEqual(s.done, [], 'nothing is done before the answer')
  await s.desk.answer(1, { approved: true, by: 'ops' })
  assert.equal(await calling, 'wiped sda')
  assert.ok(s.desk.asked[0]?.signal.aborted, 'the desk is let go')
  const events = s.approvalEvents().map((event) => [event.type, Reflect.get(event, 'approval'), Reflect.get(event, 'outcome')])
  assert.deepEqual(events, [
    ['approval.asked', id, undefined],
    ['approval.ended', id, 'approved'],
  ])
  assert.equal(await s.scope.use(disks, 'core').list(''), 'all')
  assert.equal(await s.t.kernel.provider(disks, 'core').wipe({ disk: 'sdb' }), 'wiped sdb')
  assert.equal(s.desk.asked.length, 1, 'neither other methods nor the host ask')
})

test('what is denied is not done, and the plugin is told the reason but not who', async () => {
  await using s = await stage()
  const calling = s.scope.use(disks, 'core').wipe({ disk: 'sda' })
  await s.desk.answer(1, { approved: false, by: 'ann', reason: 'it is\nin use' })
  await assert.rejects(calling, (error: PlatformError) => {
    assert.deepEqual([error.code, error.plugin, error.details?.['reason']], ['APPROVAL_DENIED', 'demo/user', 'it is in use'])
    assert.ok(!JSON.stringify(error).includes('ann'))
    return true
  })
  const again = s.scope.use(disks, 'core').wipe({ disk: 'sda' })
  await s.desk.answer(2, { approved: 'yes' } as never)
  await assert.rejects(again, { code: 'APPROVAL_DENIED', message: /no reason was given/ })
  const nothing = s.scope.use(disks, 'core').wipe({ disk: 'sda' })
  await s.desk.answer(3, undefined as never)
  await assert.rejects(nothing, { code: 'APPROVAL_DENIED' })
  assert.deepEqual(s.done, [])
  const ended = await s.t.event('approval.ended')
  assert.deepEqual([ended.by, ended.outcome, ended.reason], ['ann', 'denied', 'it is in use'])
})

test('waiting for a person has a deadline of its own and takes nothing of that of the method', async () => {
  await using s = await stage({}, { times: { approvalMs: 60_000 } })
  const calling = s.scope.use(disks, 'core').wipe({ disk: 'sda' })
  await s.desk.until(1)
  await s.t.clock.advance(59_000)
  await s.desk.answer(1, { approved: true })
  assert.equal(await calling, 'wiped sda', 'though the method may take one second only')
  const late = s.scope.use(disks, 'core').wipe({ disk: 'sdb' })
  await s.desk.until(2)
  await Promise.all([assert.rejects(late, { code: 'APPROVAL_EXPIRED', retryable: true }), s.t.clock.advance(60_000)])
  assert.equal(Reflect.get(Object(s.desk.asked[1]?.signal.reason), 'code'), 'APPROVAL_EXPIRED')
  await s.desk.answer(2, { approved: true })
  assert.deepEqual(s.done, ['sda'], 'an answer that comes too late does nothing')
  assert.equal((await s.t.event('approval.ended', ({ outcome }) => outcome === 'expired')).plugin, 'demo/user')
})

test('whoever gives up, is ended or stops with the host is waited for no more, and nothing is done', async () => {
  await using s = await stage()
  const leaving = new AbortController()
  const left = s.scope.use(disks, 'core').wipe({ disk: 'sda' }, { signal: leaving.signal })
  await s.desk.until(1)
  leaving.abort()
  await assert.rejects(left, { name: 'AbortError' })
  const ended = s.scope.use(disks, 'core').wipe({ disk: 'sdb' })
  await s.desk.until(2)
  const over = assert.rejects(ended, { name: 'AbortError', message: /generation 1 of demo\/user has ended/ })
  await Promise.all([over, s.t.kernel.plugins.disable('demo/user')])
  const demanding = await stage({ demanded: () => true })
  const own = demanding.t.kernel.provider(disks, 'core').list('')
  await demanding.desk.until(1)
  await Promise.all([assert.rejects(own, { name: 'AbortError' }), demanding.t[Symbol.asyncDispose]()])
  for (const { signal } of [...s.desk.asked, ...demanding.desk.asked]) assert.ok(signal.aborted)
  await s.desk.answer(1, { approved: true })
  await s.desk.answer(2, { approved: true })
  assert.deepEqual([s.done, demanding.done], [[], []])
})

test('without anybody to ask a critical call is refused, whoever is missing', async () => {
  await using nobody = await stage('nobody')
  const refused = { code: 'APPROVAL_UNAVAILABLE', plugin: 'demo/user' }
  await assert.rejects(nobody.scope.use(disks, 'core').wipe({ disk: 'sda' }), refused)
  assert.deepEqual(nobody.done, [])
  assert.equal((await nobody.t.event('call.refused')).code, 'APPROVAL_UNAVAILABLE')
  await using s = await stage()
  for (const value of ['throw', 'nothing', ' \n ', '\u200b\u202e', 'x'.repeat(2_001)]) {
    await assert.rejects(s.scope.use(disks, 'core').odd(value), refused, value.slice(0, 20))
  }
  assert.equal(s.desk.asked.length, 0, 'nobody is asked what cannot be said')
  await using asking = await stage({ demanded: () => assert.fail('broken') })
  await assert.rejects(asking.t.kernel.provider(disks, 'core').list(''), { code: 'APPROVAL_UNAVAILABLE', message: /broken/ })
  await using unsure = await stage({ demanded: (async () => false) as never })
  await assert.rejects(unsure.t.kernel.provider(disks, 'core').list(''), {
    code: 'APPROVAL_UNAVAILABLE',
    message: /does not say/,
  })
  assert.deepEqual([s.done, asking.done, unsure.done], [[], [], []])
})

test('a desk that fails refuses; its own coded refusal passes through, and of what it does not take only that is told', async () => {
  await using s = await stage()
  const calling = s.scope.use(disks, 'core').wipe({ disk: 'sda' })
  await s.desk.fail(1, new Error('the terminal is gone'))
  await assert.rejects(calling, { code: 'APPROVAL_UNAVAILABLE', message: /the terminal is gone/ })
  const full = (): never => {
    throw new PlatformError('DESK_FULL', 'too many')
  }
  await using crowded = await stage({ desk: { ask: full } })
  for (let at = 0; at < 50; at += 1) {
    await assert.rejects(crowded.scope.use(disks, 'core').wipe({ disk: 'sda' }), { code: 'DESK_FULL' })
  }
  assert.deepEqual(crowded.approvalEvents(), [])
  assert.equal(crowded.t.events().filter(({ type }) => type === 'call.refused').length, 1, 'a flood is one event')
})

test('what is asked is what the host read in the checked input, on one line, and exactly that is done', async () => {
  await using s = await stage()
  const input = { disk: 'sda\u001b[2K\r\n\u202e\u061c\u{e0061}approved', sentence: 'do nothing', note: new Uint8Array(3) }
  const calling = s.scope.use(disks, 'core').wipe(input)
  const { sentence, input: shown } = await s.desk.until(1)
  assert.equal(sentence, 'wipe the disk sda [2K approved')
  assert.deepEqual(shown, { ...input, note: '(3 bytes)' })
  input.disk = 'sdb'
  await s.desk.answer(1, { approved: true })
  await calling
  assert.match(s.done[0] ?? '', /^sda/, 'what was changed while a person read it does not count')
  await assert.rejects(s.scope.use(disks, 'core').wipe({} as never), { code: 'CALL_INPUT_INVALID' })
  await assert.rejects(s.scope.use(disks, 'cor').wipe({ disk: 'sda' }), { code: 'POINT_UNKNOWN_PROVIDER' })
  assert.equal(s.desk.asked.length, 1, 'what cannot be done is not asked')
})

test('a stream waits for its first item, is begun once, and is not begun for who has left', async () => {
  await using s = await stage()
  const items = s.scope.use(disks, 'core').erase(2)[Symbol.asyncIterator]()
  const [first, second] = [items.next(), items.next()]
  await s.desk.answer(1, { approved: true })
  assert.deepEqual(
    [await first, await second],
    [
      { done: false, value: 2 },
      { done: true, value: undefined },
    ],
  )
  const denied = s.scope.use(disks, 'core').erase(3)[Symbol.asyncIterator]()
  const refused = assert.rejects(denied.next(), { code: 'APPROVAL_DENIED' })
  await s.desk.answer(2, { approved: false })
  await refused
  assert.equal((await denied.next()).done, true)
  const left = s.scope.use(disks, 'core').erase(4)[Symbol.asyncIterator]()
  const never = assert.rejects(left.next(), { name: 'AbortError' })
  await s.desk.until(3)
  await left.return?.()
  await never
  assert.ok(s.desk.asked[2]?.signal.aborted)
  assert.deepEqual(s.done, ['erase'])
})

test("an operator can have more asked, also the host's own calls", async () => {
  const seen: string[] = []
  const demanded: ApprovalOptions['demanded'] = ({ caller, point, name, method }) => {
    seen.push([caller, point, name, method].join(' '))
    return method === 'list'
  }
  await using s = await stage({ demanded })
  const own = s.t.kernel.provider(disks, 'core').list('x')
  const request = await s.desk.answer(1, { approved: false, reason: 'not now' })
  assert.deepEqual([request.plugin, request.version, request.sentence], ['host', undefined, 'call list of demo.disks "core"'])
  await assert.rejects(own, { code: 'APPROVAL_DENIED', plugin: undefined, message: /not now/ })
  const theirs = s.scope.use(disks, 'core').list('x')
  await s.desk.answer(2, { approved: true })
  assert.equal(await theirs, 'all')
  assert.deepEqual(seen, ['host demo.disks core list', 'demo/user demo.disks core list'])
})
