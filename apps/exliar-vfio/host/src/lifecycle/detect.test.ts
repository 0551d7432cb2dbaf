import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { Kernel } from '@backplane/kernel'
import { PlatformError } from '@backplane/sdk'
import type { Readiness } from '@exliar-vfio/points'
import { sampleTree } from '../fixtures/sample-tree.ts'
import { MachineTree } from '../machine/machine-tree.ts'
import { detect, type Detection } from './detect.ts'
import { planCards } from './plan-cards.ts'

const missing = new PlatformError('CALL_METHOD_MISSING', 'it leaves it out')

/** A sample machine as a plugin sees it that says `says` of each card: before it is bound, and when it is. */
async function detected(says: { readonly before?: Readiness; readonly bound?: Readiness }): Promise<Detection> {
  const handler = {
    supportsDevice: () => Promise.resolve(true),
    applyQuirks: () => Promise.resolve([]),
    prepareForPassthrough: () => (says.before === undefined ? Promise.reject(missing) : Promise.resolve(says.before)),
    verifyPassthroughReady: () => (says.bound === undefined ? Promise.reject(missing) : Promise.resolve(says.bound)),
  }
  // Of the kernel only what answers for cards is looked at.
  const kernel = {
    contributions: () => [{ plugin: 'a/maker', name: 'maker', metadata: {}, available: true }],
    provider: () => handler,
  } as unknown as Pick<Kernel, 'contributions' | 'provider'>
  const hooks = { run: <V>(_: unknown, value: V) => Promise.resolve({ value, steps: [] }) }
  return detect({ tree: MachineTree.open(sampleTree('limine-booster')), kernel, hooks, signal: new AbortController().signal })
}

function assessmentOf({ gpus }: Detection, bdf: string): Detection['gpus'][number]['assessment'] {
  return gpus.find((gpu) => gpu.bdf === bdf)?.assessment ?? assert.fail()
}

test('what a maker’s plugin says before a card is bound stands in the report, and in the plan for that card', async () => {
  const found = await detected({ before: { ready: true, notes: ['update\nits firmware'] } })
  assert.equal(assessmentOf(found, '0000:0a:00.0').reasons.at(-1), 'a/maker: update its firmware')
  assert.doesNotMatch(assessmentOf(found, '0000:0b:00.0').reasons.join(), /a\/maker/)
  const tree = MachineTree.open(sampleTree('limine-booster'))
  const plan = planCards(tree, found, { select: ['0000:0a:00'], allowBootScreen: true }, {})
  assert.ok(plan.notes.includes('a/maker: update its firmware'))
})

test('a card that is bound and will not work by what its maker’s plugin says is not ready', async () => {
  const found = await detected({ bound: { ready: false, notes: ['the kernel cannot reset it'] } })
  const { verdict, reasons } = assessmentOf(found, '0000:0b:00.0')
  assert.deepEqual([verdict, reasons.at(-1)], ['needs-changes', 'a/maker: the kernel cannot reset it'])
  assert.equal(assessmentOf(await detected({}), '0000:0b:00.0').verdict, 'ready', 'nothing against it')
})
