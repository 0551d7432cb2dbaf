import assert from 'node:assert/strict'
import { test } from 'node:test'
import { inlineSource, testKernel, type TestKernel } from '@backplane/testing'
import { echoPlugin, points } from '../fixtures/demo-points.ts'
import type { Admission, FoundPackage, Source, StagedPackage } from '../index.ts'

interface Stage {
  readonly t: TestKernel
  readonly told: string[]
  /** What waits to be told goes on. */
  readonly stage: PromiseWithResolvers<void>
  readonly admit: PromiseWithResolvers<void>
  readonly released: Promise<void>
}

/** A plugin whose staging and admission each wait for the test. */
async function stage(): Promise<Stage> {
  const told: string[] = []
  const [gate, door, released] = [0, 0, 0].map(() => Promise.withResolvers<void>()) as [Gate, Gate, Gate]
  const inline = inlineSource([echoPlugin({ id: 'demo/a' })])
  const slowly = async (staging: Promise<StagedPackage>): Promise<StagedPackage> => {
    told.push('staging')
    const staged = await staging
    await gate.promise
    return { ...staged, release: async () => (told.push('released'), released.resolve()) }
  }
  const source: Source = {
    ...inline,
    list: async (signal) => {
      const { packages, problems } = await inline.list(signal)
      const slow = packages.map((one): FoundPackage =>
        Object.assign({}, one, { stage: (s: AbortSignal) => slowly(one.stage(s)) }),
      )
      return { packages: slow, problems }
    },
  }
  const admit: Admission['admit'] = async () => {
    told.push('asked')
    await door.promise
    told.push('answered')
    return { ok: true, trust: { level: 'signed', waived: [] } }
  }
  const t = await testKernel({ points, sources: [source], admission: { admit } })
  return { t, told, stage: gate, admit: door, released: released.promise }
}

type Gate = PromiseWithResolvers<void>

test('however many ask, a package is staged and looked at once, and let go of when nobody looks any more, whoever leaves', async () => {
  const s = await stage()
  await using t = s.t
  const over = new AbortController()
  const { signal } = new AbortController()
  const leaving = t.kernel.plugins.refusal('demo/a', over.signal)
  const staying = t.kernel.plugins.refusal('demo/a', signal)
  over.abort(new Error('left'))
  await assert.rejects(leaving, { message: 'left' })
  s.stage.resolve()
  while (!s.told.includes('asked')) await new Promise(setImmediate)
  const later = t.kernel.plugins.refusal('demo/a', signal)
  s.admit.resolve()
  assert.deepEqual(await Promise.all([staying, later]), [undefined, undefined])
  await s.released
  assert.deepEqual(s.told, ['staging', 'asked', 'answered', 'released'])
  await t.kernel.plugins.refusal('demo/a', signal)
  assert.equal(s.told.length, 8, 'what was found is not kept')
})
