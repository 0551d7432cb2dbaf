import type { MachineTree } from '../machine/machine-tree.ts'

/** What drives a function, and what is to. */
export interface FunctionDriver {
  readonly driver: string | null
  /** Null: nobody said. */
  readonly override: string | null
}

/** Directory of a function. */
export function functionPath(bdf: string): string {
  return `/sys/bus/pci/devices/${bdf}`
}

/** Undefined: there is no such function. */
export function readFunction(tree: MachineTree, bdf: string): FunctionDriver | undefined {
  const directory = tree.directory(functionPath(bdf))
  if (directory === undefined) return undefined
  const override = directory.attribute('driver_override') ?? ''
  return { driver: directory.linkName('driver') ?? null, override: override === '' || override === '(null)' ? null : override }
}
