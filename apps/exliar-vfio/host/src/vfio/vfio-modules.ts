import type { KernelVersion } from '@exliar-vfio/points'
import { readConfig, type FileEdit, type TreeReader } from '../text/config-file.ts'
import { moduleName } from '../initramfs/early-modules.ts'

/** What is loaded at every start. */
const moduleListPath = '/etc/modules-load.d/vfio-pci-load.conf'

/** VFIO's own modules, in the order they are listed. Since Linux 6.2 vfio_virqfd is a part of vfio. */
export function vfioModules(kernel: KernelVersion | null): readonly string[] {
  const apart = kernel !== null && (kernel.major < 6 || (kernel.major === 6 && kernel.minor < 2))
  return ['vfio_pci', 'vfio', 'vfio_iommu_type1', ...(apart ? ['vfio_virqfd'] : [])]
}

/**
 * Whether vfio-pci is a part of the kernel that runs now: then nothing loads it, and what modprobe is told of it is without
 * effect. Source: kbuild, `modules.builtin`.
 */
export function isVfioBuiltIn(tree: TreeReader, kernel: KernelVersion | null): boolean {
  if (kernel === null) return false
  const lists = ['/usr/lib/modules', '/lib/modules'].map((root) => `${root}/${kernel.full_version}/modules.builtin`)
  return lists.some((path) => /\/vfio[-_]pci\.ko$/m.test(readConfig(tree, path)?.text ?? ''))
}

/** The list of modules to load, with these in it; lines that are there stay. */
export function editModuleList(tree: TreeReader, modules: readonly string[]): readonly FileEdit[] {
  const before = readConfig(tree, moduleListPath)?.text
  const present = new Set((before ?? '').split('\n').map((line) => moduleName(line.trim())))
  const missing = modules.filter((name) => !present.has(moduleName(name)))
  if (missing.length === 0) return []
  const gap = before === undefined || before === '' || before.endsWith('\n') ? '' : '\n'
  return [{ path: moduleListPath, before, text: `${before ?? ''}${gap}${missing.join('\n')}\n` }]
}
