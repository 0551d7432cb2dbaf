import type { KernelVersion } from '@exliar-vfio/points'
import type { MachineTree } from '../machine/machine-tree.ts'
import type { Fact } from './fact.ts'

const modules = '/lib/modules'

/** The kernel that runs, or where none does the newest installed one. */
export function kernelVersion(tree: MachineTree): Fact<KernelVersion | null> {
  const release = tree.glance('/proc/sys/kernel/osrelease')?.trim()
  if (release !== undefined) return { value: parsed(release), evidence: '/proc/sys/kernel/osrelease' }
  const banner = /^Linux version (\S+)/.exec(tree.glance('/proc/version') ?? '')?.[1]
  if (banner !== undefined) return { value: parsed(banner), evidence: '/proc/version' }
  const newest = tree.names(modules).flatMap((name) => parsed(name) ?? [])
  const value = newest.sort((a, b) => newerLast.compare(a.full_version, b.full_version)).at(-1)
  return value === undefined ? { value: null, evidence: null } : { value, evidence: `${modules}/${value.full_version}` }
}

/** `6.9` is older than `6.12`. */
const newerLast = new Intl.Collator('en', { numeric: true })

function parsed(release: string): KernelVersion | null {
  const match = /^(\d{1,9})\.(\d{1,9})(?:\.(\d{1,9}))?/.exec(release)
  if (match === null) return null
  const [, major, minor, patch] = match
  return {
    major: Number(major),
    minor: Number(minor),
    patch: patch === undefined ? null : Number(patch),
    full_version: release,
  }
}
