import { blank, fieldLines, line, wrapped } from './line.js'
/** What machine this is, each fact with where it stands. */
export function systemBody({ system, facts, devices, gpus, troubles }, width) {
  const { kernel_version: kernel, distribution, iommu, secure_boot_enabled: secureBoot } = system
  const from = (text, name) => {
    const { evidence } = facts[name]
    return evidence === null ? text : `${text}  (${evidence})`
  }
  const iommuTone = iommu.state === 'on' ? 'good' : iommu.state === 'unknown' ? 'plain' : 'warning'
  const fields = [
    [
      'distribution',
      from(distribution === null ? 'unknown' : `${distribution.name} ${distribution.version}`.trim(), 'distribution'),
    ],
    ['kernel', from(kernel === null ? 'unknown' : kernel.full_version, 'kernel_version')],
    ['started with', from(system.kernel_parameters.join(' ') || 'unknown', 'kernel_parameters')],
    ['processor', from(system.cpu_model, 'cpu_model')],
    [
      'virtualisation',
      from(system.virtualization_enabled ? 'on' : 'off', 'virtualization_enabled'),
      system.virtualization_enabled ? 'good' : 'warning',
    ],
    ['IOMMU', from(`${iommu.state}: ${iommu.reason}`, 'iommu'), iommuTone],
    ['bootloader', from(system.bootloader, 'bootloader')],
    ['initramfs', from(system.initramfs_system, 'initramfs_system')],
    ['init', from(system.init_system, 'init_system')],
    ['secure boot', from(secureBoot === null ? 'unknown' : secureBoot ? 'on' : 'off', 'secure_boot_enabled')],
  ]
  const passed = troubles.flatMap(({ plugin, at, message }) =>
    wrapped(`passed over: ${plugin} failed in ${at}: ${message}`, width, { tone: 'warning' }),
  )
  return {
    lines: [
      ...fieldLines(fields, width),
      blank,
      line(`${devices.length} PCI functions, ${gpus.length} graphics adapters`),
      ...(passed.length === 0 ? [] : [blank, ...passed]),
    ],
  }
}
//# sourceMappingURL=system-body.js.map
