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

test('whoever leaves while bytes are staged to be looked at leaves none of them behind, and nobody is asked', async () => {
  const s = await stage()
  await using t = s.t
  const over = new AbortController()
  const refusal = t.kernel.plugins.refusal('demo/a', over.signal)
  over.abort(new Error('left'))
  await assert.rejects(refusal, { message: 'left' })
  s.stage.resolve()
  await s.released
  assert.deepEqual(s.told, ['staging', 'released'])
})

test('whoever leaves while the admission looks at bytes does not take them away under it', async () => {
  const s = await stage()
  await using t = s.t
  s.stage.resolve()
  const over = new AbortController()
  const refusal = t.kernel.plugins.refusal('demo/a', over.signal)
  while (!s.told.includes('asked')) await new Promise(setImmediate)
  over.abort(new Error('left'))
  await assert.rejects(refusal, { message: 'left' })
  s.admit.resolve()
  await s.released
  assert.deepEqual(s.told, ['staging', 'asked', 'answered', 'released'])
})
