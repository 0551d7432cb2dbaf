import { withHypervisorHidden, withKvmHidden, withVendorId, type QuirkSetting, type VmConfig } from '@exliar-vfio/points'

/** Settings of this plugin, as its manifest describes them. */
export interface NvidiaSettings {
  readonly when: 'auto' | 'always' | 'never'
  readonly vendor_id: string
  /** Version of the guest's driver by the machine's name. */
  readonly guest_drivers: Readonly<Record<string, string>>
}

/** NVIDIA's vendor id. */
export const nvidia = '10de'

/** From this version on the driver works in a guest by itself. Source: NVIDIA, "GeForce GPU Passthrough", R465. */
const firstWillingDriver = 465

/** Whether a guest's driver may refuse to work; one that nobody has named may. */
export function mayRefuse(driverVersion: string | undefined): boolean {
  return driverVersion === undefined || Number.parseInt(driverVersion, 10) < firstWillingDriver
}

/** The settings a card needs, for people who set up a machine by hand. */
export function code43Quirk(vendorId: string): QuirkSetting {
  return {
    name: 'code-43',
    description:
      'NVIDIA drivers before 465 stop with code 43 when they see a hypervisor. Hide KVM and give Hyper-V another vendor id; with newer drivers in the guest this is not needed.',
    xml_snippet: [
      '<features>',
      '  <hyperv>',
      `    <vendor_id state='on' value='${vendorId}'/>`,
      '  </hyperv>',
      '  <kvm>',
      "    <hidden state='on'/>",
      '  </kvm>',
      '</features>',
    ].join('\n'),
    command_line_option: `-cpu host,kvm=off,hv_vendor_id=${vendorId}`,
    kernel_parameters: [],
    kernel_modules: [],
  }
}

/**
 * A configuration in which the driver sees no hypervisor, and what had to be changed for it. A vendor id that somebody has
 * set already stays.
 */
export function hideHypervisor(config: VmConfig, vendorId: string): { readonly config: VmConfig; readonly changed: string[] } {
  const { kvm_hidden: kvm, hypervisor_hidden: hypervisor, hyperv_vendor_id: vendor } = config.features
  const changed = [
    ...(hypervisor ? [] : ['hypervisor_hidden']),
    ...(vendor === null ? ['hyperv_vendor_id'] : []),
    ...(kvm ? [] : ['kvm_hidden']),
  ]
  return { config: withKvmHidden(withVendorId(withHypervisorHidden(config), vendor ?? vendorId)), changed }
}
