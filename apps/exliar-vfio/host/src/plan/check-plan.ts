import { exliarErrors } from '../errors.ts'
import type { TreeReader } from '../text/config-file.ts'
import { readFunction } from '../vfio/pci-function.ts'
import type { MachineTree } from '../machine/machine-tree.ts'
import { valueNow } from './overlay-tree.ts'
import type { Plan } from './plan.ts'

/** Refuses a plan when a file, a directory or a driver that it was made from is another now. Errors: `PLAN_STALE`. */
export function checkPlan(tree: MachineTree, { inputs, functions }: Plan): void {
  const reader: TreeReader = tree
  const changed = inputs.filter(({ kind, path, value }) => valueNow(reader, kind, path) !== value).map(({ path }) => path)
  const moved = functions
    .filter(({ device }) => readFunction(tree, device.bdf)?.driver !== device.driver)
    .map(({ device }) => device.bdf)
  const paths = [...new Set([...changed, ...moved])]
  if (paths.length > 0) throw exliarErrors.error('PLAN_STALE', { paths: paths.join(', ') })
}
