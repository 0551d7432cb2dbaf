import type { MachineTree } from '../machine/machine-tree.ts'

const directory = '/sys/firmware/efi/efivars'

/** Who names a variable. */
const owners = { firmware: '8be4df61-93ca-11d2-aa0d-00e098032b8c', loader: '4a67b082-0a4c-41cf-b6c7-440b29bb8c4f' } as const

/** Four bytes of attributes come before the value. */
const attributeBytes = 4

/** A variable of the firmware, or one a bootloader left. */
export interface EfiVariable {
  readonly path: string
  readonly bytes: Buffer
  /** What of it is text. */
  readonly text: string
}

/** Undefined: not set, or this machine did not start by EFI. Source: the UEFI specification; the Boot Loader Interface. */
export function efiVariable(tree: MachineTree, name: string, owner: keyof typeof owners): EfiVariable | undefined {
  const path = `${directory}/${name}-${owners[owner]}`
  const all = tree.directory(directory)?.bytes(`${name}-${owners[owner]}`)
  if (all === undefined || all.length <= attributeBytes) return undefined
  const bytes = all.subarray(attributeBytes)
  return { path, bytes, text: bytes.toString('utf16le').replaceAll('\0', '') }
}
