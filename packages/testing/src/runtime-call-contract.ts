import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { Progress } from '@backplane/sdk'
import { context, counter, itemsOf, plain, rejection, RuntimeSubject, type MakeRuntime } from './runtime-subject.ts'

/** Calls of one answer, and opened instances. */
export function runtimeCallRules(make: MakeRuntime): void {
  const rule = (title: string, check: (subject: RuntimeSubject) => Promise<void>): void => {
    test(title, { timeout: 60_000 }, async (t) => check(await RuntimeSubject.make(t, make)))
  }

  rule('a value comes back as it went', async (subject) => {
    const instance = await subject.start()
    const values = [null, true, 0, -1.5, '', 'ä\u{1F600}', [], {}, [1, [2]], { a: { b: [null] } }]
    for (const value of values) assert.deepEqual(await instance.call(plain('echo'), value, context()), value)
    assert.equal(await instance.call(plain('echo'), undefined, context()), undefined)
  })

  rule('bytes travel as the value itself and as its direct members, small and large', async (subject) => {
    const instance = await subject.start()
    for (const size of [0, 1, 1_000, 1_000_000]) {
      const bytes = (): Uint8Array => new Uint8Array(size).fill(7)
      assert.deepEqual(asBytes(await instance.call(plain('echo'), bytes(), context())), bytes())
      const back = (await instance.call(plain('echo'), { name: 'x', body: bytes() }, context())) as Record<string, unknown>
      assert.equal(back['name'], 'x')
      assert.deepEqual(asBytes(back['body']), bytes())
    }
  })

  rule("a hook's handler is called as its method handle", async (subject) => {
    const instance = await subject.start()
    const target = { point: 'contract.hook', name: 'shout', method: 'handle' }
    assert.equal(await instance.call(target, 'quiet', context()), 'QUIET')
    const line = await subject.line('shouting')
    assert.equal(line.traceId, '5'.repeat(32))
    assert.deepEqual(line.fields, { point: 'contract.hook', method: 'handle' })
  })

  rule('many calls at once each get their own answer', async (subject) => {
    const instance = await subject.start()
    const values = Array.from({ length: 200 }, (_, at) => at)
    const answers = await Promise.all(values.map((value) => instance.call(plain('echo'), value, context())))
    assert.deepEqual(answers, values)
  })

  rule('a call knows its trace, its caller and its deadline', async (subject) => {
    const instance = await subject.start()
    const deadlineAtMs = Date.now() + 60_000
    const seen = await instance.call(plain('context'), null, context({ deadlineAtMs, caller: 'acme/other' }))
    assert.deepEqual(seen, { traceId: '5'.repeat(32), caller: 'acme/other', deadlineAtMs, aborted: false })
  })

  rule('an error keeps its code, message, hint, details and causes', async (subject) => {
    const instance = await subject.start()
    const error = await rejection(instance.call(plain('fail'), 'platform', context()))
    assert.equal(error.name, 'PlatformError')
    assert.equal(error['code'], 'DISK_LOCKED')
    assert.equal(error.message, 'the disk is locked')
    assert.equal(error['hint'], 'Stop the machine.')
    assert.equal(error['retryable'], true)
    assert.deepEqual(error['details'], { disk: 'vda' })
    assert.equal((error.cause as { code: string }).code, 'LOCK_HELD')
  })

  rule("an error that is not the platform's keeps its own code and message", async (subject) => {
    const instance = await subject.start()
    const seen = async (kind: string): Promise<unknown> => {
      const { name, code, message } = await rejection(instance.call(plain('fail'), kind, context()))
      return [name, code, message]
    }
    assert.deepEqual(await seen('coded'), ['PlatformError', 'ENOENT', 'no such file'])
    assert.deepEqual(await seen('plain'), ['PlatformError', 'INTERNAL', 'plainly wrong'])
    assert.deepEqual(await seen('text'), ['PlatformError', 'INTERNAL', 'just text'])
  })

  rule('what is not there is refused by name', async (subject) => {
    const instance = await subject.start()
    const targets = [
      plain('absent'),
      plain('nothing'),
      { ...plain('echo'), name: 'other' },
      { ...plain('echo'), point: 'contract.other' },
      { ...plain('echo'), instance: 99 },
      counter('add', 99),
      counter('add'),
    ]
    for (const target of targets) {
      const error = await rejection(instance.call(target, 1, context()))
      assert.equal(error['code'], 'RUNTIME_TARGET_UNKNOWN', JSON.stringify(target))
      assert.match(error.message, new RegExp(target.point))
    }
    assert.equal((await rejection(instance.open(plain('open'), {}, context())))['code'], 'RUNTIME_TARGET_UNKNOWN')
  })

  rule('progress reaches the caller, the newest last, and nothing comes after the answer', async (subject) => {
    const instance = await subject.start()
    const seen: Progress[] = []
    assert.equal(await instance.call(plain('report'), 5, context({ onProgress: (progress) => seen.push(progress) })), 'done')
    await instance.call(plain('echo'), 1, context())
    assert.deepEqual(seen.at(-1), { done: 5, total: 5, phase: 'counting' })
    assert.deepEqual(
      seen.map(({ done }) => done),
      seen.map(({ done }) => done).toSorted((a, b) => a - b),
    )
  })

  rule('a cancelled call is cancelled in the plugin', async (subject) => {
    const instance = await subject.start()
    const controller = new AbortController()
    const waiting = rejection(instance.call(plain('wait'), null, context({ signal: controller.signal })))
    await subject.line('waiting')
    controller.abort()
    assert.equal((await waiting).name, 'AbortError')
    await subject.line('told to stop: AbortError')
  })

  rule('a call whose deadline has passed ends as late, in the plugin too', async (subject) => {
    const instance = await subject.start()
    const deadline = { deadlineAtMs: Date.now() + 500, signal: AbortSignal.timeout(500) }
    assert.equal((await rejection(instance.call(plain('wait'), null, context(deadline)))).name, 'TimeoutError')
    await subject.line('told to stop: TimeoutError')
  })

  rule('opened instances are separate, list what they supply, and are gone once closed', async (subject) => {
    const instance = await subject.start()
    const one = await instance.open(counter('open'), { start: 10 }, context({ caller: 'acme/opener' }))
    const two = await instance.open(counter('open'), { start: 20 }, context())
    assert.notEqual(one.instance, two.instance)
    assert.deepEqual(one.methods, ['add', 'watch'])
    assert.equal(await instance.call(counter('add', one.instance), 1, context()), 11)
    assert.equal(await instance.call(counter('add', two.instance), 1, context()), 21)
    assert.deepEqual(await itemsOf(instance.stream(counter('watch', one.instance), 13, context())), [12, 13])
    await instance.close(counter('close', one.instance))
    await instance.close(counter('close', one.instance))
    assert.deepEqual((await subject.line('closed at 13')).fields, { opener: 'acme/opener' })
    const error = await rejection(instance.call(counter('add', one.instance), 1, context()))
    assert.equal(error['code'], 'RUNTIME_TARGET_UNKNOWN')
    assert.equal(await instance.call(counter('add', two.instance), 1, context()), 22)
  })

  rule('an instance that cannot be opened says why', async (subject) => {
    const instance = await subject.start()
    const error = await rejection(instance.open(counter('open'), { refuse: true }, context()))
    assert.equal(error['code'], 'COUNTER_REFUSED')
  })

  rule('stopping closes what is still open, before it undoes what setup made', async (subject) => {
    const instance = await subject.start()
    await instance.open(counter('open'), { start: 1 }, context())
    await instance.stop(10_000)
    assert.deepEqual(
      subject.messages('c').map((message) => message.split(' ')[0]),
      ['closed', 'cleanup', 'cleanup', 'cleanup'],
    )
  })
}

function asBytes(value: unknown): Uint8Array {
  assert.ok(value instanceof Uint8Array)
  return new Uint8Array(value)
}
