import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { Instance, Runtime } from '@backplane/kernel'
import { inlineRuntime, testKernel, type TestKernel } from '@backplane/testing'
import { echoPlugin, points } from '../fixtures/demo-points.ts'

/** A runtime whose instances are profiled by `profile`. */
function profiledBy(profile: NonNullable<Instance['profile']>): Runtime {
  const runtime = inlineRuntime()
  return { ...runtime, start: async (...given) => Object.assign(await runtime.start(...given), { profile }) }
}

const kernelOver = (...runtimes: readonly Runtime[]): Promise<TestKernel> =>
  testKernel({ points, plugins: [echoPlugin()], ...(runtimes.length === 0 ? {} : { runtimes }) })

async function take(t: TestKernel, signal = new AbortController().signal): Promise<string> {
  const pieces: Uint8Array[] = []
  for await (const piece of t.kernel.plugins.profile('echo', 'cpu', { durationMs: 5, signal })) pieces.push(piece)
  return Buffer.concat(pieces).toString()
}

test('a profile of a plugin is what its instance makes, as it was asked for', async () => {
  await using t = await kernelOver(
    profiledBy(async function* (kind, { durationMs }) {
      yield Buffer.from(`${kind} for `)
      yield Buffer.from(`${durationMs} ms`)
    }),
  )
  await t.kernel.plugins.start('echo')
  assert.equal(await take(t), 'cpu for 5 ms')
  assert.equal(await take(t), 'cpu for 5 ms')
})

test('a plugin that does not run has no profile, and neither has an unknown one', async () => {
  await using t = await kernelOver()
  await assert.rejects(take(t), { code: 'PROFILE_NOT_RUNNING', message: /echo.* is idle/ })
  const options = { durationMs: 5, signal: new AbortController().signal }
  assert.throws(() => t.kernel.plugins.profile('ecco', 'cpu', options), { code: 'PLUGIN_UNKNOWN' })
})

test('a plugin in a tier that cannot tell it from its host is refused, with the reason', async () => {
  await using t = await kernelOver()
  await t.kernel.plugins.start('echo')
  await assert.rejects(take(t), { code: 'PROFILE_SHARED', message: /in the process of its host/ })
})

test('one plugin is profiled once at a time, and again when that was given up', async () => {
  await using t = await kernelOver(
    profiledBy(async function* (_kind, { signal }) {
      yield Buffer.from('begun')
      await new Promise((_resolve, reject) => signal.addEventListener('abort', () => reject(signal.reason as Error)))
    }),
  )
  await t.kernel.plugins.start('echo')
  const controller = new AbortController()
  const first = take(t, controller.signal)
  await assert.rejects(take(t), { code: 'PROFILE_BUSY', retryable: true })
  controller.abort(new Error('enough'))
  await assert.rejects(first, /enough/)
  const again = t.kernel.plugins.profile('echo', 'cpu', { durationMs: 5, signal: controller.signal })[Symbol.asyncIterator]()
  assert.equal((await again.next()).done, false)
  await again.return?.()
})

for (const kind of ['heap', 'cpu'] as const) {
  const ends = kind === 'cpu'
  test(`a plugin that stands still while its ${kind} profile is taken is ${ends ? '' : 'not '}ended for that`, async () => {
    const enough = Promise.withResolvers<void>()
    const asked = { stalls: 20_000, answers: false }
    const usage: Instance['usage'] = async () => {
      if (!asked.answers) await enough.promise
      const stallMs = asked.stalls
      asked.stalls = 0
      return { cpuMs: 1, memoryBytes: 1, heapBytes: 1, processes: 1, openFiles: 1, stallMs }
    }
    const profile: NonNullable<Instance['profile']> = async function* () {
      await enough.promise
      yield Buffer.from('it')
    }
    const runtime = inlineRuntime()
    const other = { tier: 'confined', profile, usage } as const
    const start: Runtime['start'] = async (...given) => Object.assign(await runtime.start(...given), other)
    await using t = await kernelOver({ ...runtime, start })
    await t.kernel.plugins.start('echo')
    const options = { durationMs: 5, signal: new AbortController().signal }
    const taken = t.kernel.plugins.profile('echo', kind, options)[Symbol.asyncIterator]()
    const first = taken.next().catch(() => undefined)
    await t.clock.advance(30_000)
    asked.answers = true
    enough.resolve()
    await first
    await taken.next().catch(() => undefined)
    await t.clock.advance(2_000)
    assert.equal(
      t.events().some(({ type }) => type === 'limit.exceeded'),
      ends,
    )
    if (ends) return
    assert.equal(t.kernel.plugins.get('echo')?.state.name, 'active')
    asked.stalls = 20_000
    await t.clock.advance(1_000)
    assert.ok(
      t.events().some(({ type }) => type === 'limit.exceeded'),
      'it is excused once',
    )
  })
}
