import { exliarErrors } from '../errors.ts'
import type { WriteFileStep } from '../changes/step.ts'
import type { MachineTree } from '../machine/machine-tree.ts'
import { hookScript, isOurHook, type HookScriptOptions } from './hook-script.ts'

/** Where libvirt 6.5 and newer looks for hooks of many, and the one file that is all older ones know. */
const dropIn = '/etc/libvirt/hooks/qemu.d/exliar-vfio'
const single = '/etc/libvirt/hooks/qemu'

/** What installing the hook needs. */
export interface HookInstallOptions extends HookScriptOptions {
  /** As `Virsh.version` says it; undefined, where nobody knows, is taken for a new one. */
  readonly libvirtVersion?: string
}

/** What installing the hook takes. */
export interface HookInstallPlan {
  /** Empty where it is there already. */
  readonly steps: readonly WriteFileStep[]
  /** What a person has to do, in sentences. */
  readonly notes: readonly string[]
}

/** Plans the hook. What somebody else wrote is never overwritten. Errors: `VM_HOOK_FOREIGN`, and those of `readText`. */
export function planHookInstall(tree: MachineTree, options: HookInstallOptions): HookInstallPlan {
  const inSingle = tree.readText(single)
  // One of ours that is there stays where it is: two would ask everybody twice.
  const isInSingle = inSingle !== undefined && isOurHook(inSingle)
  const path = readsDropIns(options.libvirtVersion) && !isInSingle ? dropIn : single
  const now = tree.readText(path)
  if (now !== undefined && !isOurHook(now)) throw exliarErrors.error('VM_HOOK_FOREIGN', { path })
  const script = hookScript(options)
  if (now === script && ((tree.stat(path)?.mode ?? 0) & 0o111) !== 0) return { steps: [], notes: [] }
  const step: WriteFileStep = {
    kind: 'write-file',
    path,
    content: new TextEncoder().encode(script),
    mode: 0o755,
    cause: null,
    summary: 'let libvirt ask the plugins before a machine starts, and tell them after it ended',
    records: 'file-modified',
  }
  const note = 'Restart libvirtd (virtqemud where there is one): it looks for hooks only when it starts. Machines run on.'
  return { steps: [step], notes: [note] }
}

function readsDropIns(version: string | undefined): boolean {
  const [, major = '', minor = ''] = /^(\d+)\.(\d+)/.exec(version ?? '6.5') ?? []
  return Number(major) > 6 || (Number(major) === 6 && Number(minor) >= 5)
}
