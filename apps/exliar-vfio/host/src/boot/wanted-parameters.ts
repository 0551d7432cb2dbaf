import type { InitramfsSystem, SystemInfo } from '@exliar-vfio/points'

/**
 * What the kernel must be given for devices to be separated. Intel's is off unless asked for; AMD's is on by itself, so
 * `amd_iommu=on` would say nothing. Source: the kernel's `kernel-parameters.txt`; seed 004's list, corrected.
 */
export function wantedParameters(system: Pick<SystemInfo, 'cpu_vendor' | 'initramfs_system'>): readonly string[] {
  const enabling = system.cpu_vendor === 'intel' ? ['intel_iommu=on'] : []
  return [...enabling, 'iommu=pt', ...earlyDriver(system.initramfs_system)]
}

/** What would switch the separation off, and so has to go. AMD's needs nothing in its place. */
export function unwantedParameters({ cpu_vendor }: Pick<SystemInfo, 'cpu_vendor'>): readonly string[] {
  return cpu_vendor === 'amd' ? ['amd_iommu=off'] : []
}

/** dracut loads this before it looks at devices. */
function earlyDriver(system: InitramfsSystem): readonly string[] {
  return system === 'dracut' ? ['rd.driver.pre=vfio-pci'] : []
}
