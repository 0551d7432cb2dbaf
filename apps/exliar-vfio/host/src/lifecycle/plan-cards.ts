import type { MachineTree } from '../machine/machine-tree.ts'
import { makePlan, type PlanOptions } from '../plan/make-plan.ts'
import type { Plan } from '../plan/plan.ts'
import type { SelectionWish } from '../vfio/select-functions.ts'
import type { Detection } from './detect.ts'

/**
 * A plan for cards of a machine as it was found, with what plugins propose for those that move. Touches nothing. Errors: those
 * of `makePlan`.
 */
export function planCards(tree: MachineTree, detection: Detection, selection: SelectionWish, options: PlanOptions): Plan {
  const { system, devices, proposals, advice } = detection
  const bare = makePlan({ tree, system, devices, selection, options })
  const moving = new Set(bare.functions.map(({ device }) => device.bdf))
  const concerned = proposals.filter(({ bdf }) => moving.has(bdf))
  const plan = concerned.length === 0 ? bare : makePlan({ tree, system, devices, selection, options, proposals: concerned })
  const said = advice
    .filter(({ bdf }) => moving.has(bdf))
    .flatMap(({ plugin, notes }) => notes.map((note) => `${plugin}: ${note}`))
  return { ...plan, notes: [...new Set([...plan.notes, ...said])] }
}
