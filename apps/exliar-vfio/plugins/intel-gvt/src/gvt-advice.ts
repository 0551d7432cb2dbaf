import type { GpuDevice, QuirkSetting, Readiness, SystemInfo } from '@exliar-vfio/points'
import { generationOf, type Generation } from './generations.ts'

/** Intel's vendor id. */
export const intel = '8086'

const parameter = 'i915.enable_gvt=1'

/** Until here `vfio_mdev` is a module of its own; afterwards kvmgt brings what it needs. */
const mdevModuleBefore = { major: 5, minor: 19 }

/** What the plan carries so that guests can share the graphics; nothing where they cannot. */
export function gvtQuirks(gpu: GpuDevice, system: SystemInfo): QuirkSetting[] {
  const generation = shareable(gpu)
  if (generation === undefined) return []
  return [
    {
      name: 'gvt-g',
      description: `${generation.name} graphics can be shared: the host keeps them, and each guest gets a device of its own, made in ${gpu.bdf}/mdev_supported_types. Do not bind them to vfio-pci then.`,
      xml_snippet: [
        "<hostdev mode='subsystem' type='mdev' model='vfio-pci'>",
        '  <source>',
        "    <address uuid='…'/>",
        '  </source>',
        '</hostdev>',
      ].join('\n'),
      command_line_option: null,
      kernel_parameters: [parameter],
      kernel_modules: hasMdevModule(system) ? ['kvmgt', 'vfio_mdev'] : ['kvmgt'],
    },
  ]
}

/** What to know before the graphics are bound. */
export function gvtNotes(gpu: GpuDevice, system: SystemInfo, share: boolean): Readiness {
  if (share && shareable(gpu) !== undefined) {
    const notes = ['Graphics shared by GVT-g stay with the driver i915: what is bound to vfio-pci belongs to one guest alone.']
    if (usesGuc(system)) notes.push('GVT-g does not work with the GuC: take i915.enable_guc off the kernel’s command line.')
    return { ready: true, notes }
  }
  return { ready: true, notes: insteadOfSharing(gpu) }
}

/** Whether the graphics are shared, or, where they are not to be, given away as a whole. */
export function gvtReadiness(gpu: GpuDevice, system: SystemInfo, share: boolean): Readiness {
  if (gpu.driver === 'vfio-pci') return { ready: true, notes: [] }
  if (!share || shareable(gpu) === undefined) {
    return { ready: false, notes: [`${gpu.bdf} is driven by ${gpu.driver ?? 'nothing'}, not by vfio-pci.`] }
  }
  const notes = [
    ...(gpu.driver === 'i915' ? [] : [`${gpu.bdf} is driven by ${gpu.driver ?? 'nothing'}; GVT-g is part of i915.`]),
    ...(system.kernel_parameters.includes(parameter) ? [] : [`The kernel was started without ${parameter}.`]),
    ...(usesGuc(system) ? ['The kernel was started with i915.enable_guc, with which GVT-g does not work.'] : []),
  ]
  return { ready: notes.length === 0, notes }
}

function shareable(gpu: GpuDevice): Generation | undefined {
  if (gpu.vendor_id !== intel) return undefined
  const generation = generationOf(gpu.device_id)
  return generation?.sharing === 'gvt-g' ? generation : undefined
}

function insteadOfSharing(gpu: GpuDevice): string[] {
  const generation = generationOf(gpu.device_id)
  const name = generation?.name ?? gpu.model_name
  switch (generation?.sharing) {
    case 'gvt-g':
      return []
    case 'sr-iov':
      return [
        `${name} has no GVT-g. It can be split by SR-IOV where the driver makes virtual functions, which the i915 of Linux itself does not; otherwise it is given away as a whole.`,
      ]
    case 'none':
      return [`${name} has neither GVT-g nor SR-IOV: it is given away as a whole.`]
    case undefined:
      return [
        `${name} is not known to have GVT-g, which ends with Comet Lake: newer graphics are split by SR-IOV where the driver can, or given away as a whole.`,
      ]
  }
}

function usesGuc({ kernel_parameters: parameters }: SystemInfo): boolean {
  const last = parameters.findLast((each) => each.startsWith('i915.enable_guc='))
  const bits = Number(last?.slice('i915.enable_guc='.length) ?? 0)
  // Bit 0 is submission through the GuC, -1 lets the driver choose.
  return bits > 0 && (bits & 1) === 1
}

function hasMdevModule({ kernel_version: version }: SystemInfo): boolean {
  if (version === null) return true
  return (
    version.major < mdevModuleBefore.major || (version.major === mdevModuleBefore.major && version.minor < mdevModuleBefore.minor)
  )
}
