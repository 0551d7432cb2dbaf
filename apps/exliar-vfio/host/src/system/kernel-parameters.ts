import type { MachineTree } from '../machine/machine-tree.ts'
import type { Fact } from './fact.ts'

/** Parameters of the running kernel; blanks within quotation marks are part of one. Source: kernel-parameters(7). */
export function kernelParameters(tree: MachineTree): Fact<string[]> {
  const line = tree.glance('/proc/cmdline')
  if (line === undefined) return { value: [], evidence: null }
  return { value: line.match(/(?:[^\s"]|"[^"]*(?:"|$))+/g) ?? [], evidence: '/proc/cmdline' }
}
