import type { MachineTree } from '../machine/machine-tree.ts'
import { efiVariable } from './efi-variable.ts'
import type { Fact } from './fact.ts'

/** Null: the firmware does not say, as when the machine did not start by EFI. */
export function secureBoot(tree: MachineTree): Fact<boolean | null> {
  const variable = efiVariable(tree, 'SecureBoot', 'firmware')
  return variable === undefined
    ? { value: null, evidence: null }
    : { value: variable.bytes.at(-1) === 1, evidence: variable.path }
}
