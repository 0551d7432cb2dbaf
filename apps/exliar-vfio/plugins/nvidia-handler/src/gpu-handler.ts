import type { Implementation } from '@backplane/sdk'
import type { gpuHandler } from '@exliar-vfio/points'
import { code43Quirk, nvidia, type NvidiaSettings } from './code-43.ts'

/** What is known of NVIDIA's cards before a machine is started. */
export function nvidiaHandler({ when, vendor_id: vendorId }: NvidiaSettings): Implementation<typeof gpuHandler> {
  return {
    supportsDevice: ({ gpu }) => gpu.vendor_id === nvidia,
    applyQuirks: ({ gpu }) => {
      const isNeeded = when === 'always' || (when === 'auto' && gpu.capabilities.needs_code_43_workaround)
      return gpu.vendor_id === nvidia && isNeeded ? [code43Quirk(vendorId)] : []
    },
    prepareForPassthrough: ({ gpu }) => {
      const notes: string[] = []
      if (gpu.driver === 'nvidia') {
        notes.push(
          'Stop what uses the card first (a display server, nvidia-persistenced): its driver does not let go of it before.',
        )
      }
      if (gpu.boot_vga) {
        notes.push("The firmware put its first picture on this card: the guest may need a copy of the card's ROM in rom_file.")
      }
      return { ready: true, notes }
    },
    verifyPassthroughReady: ({ gpu }) =>
      gpu.driver === 'vfio-pci'
        ? { ready: true, notes: [] }
        : { ready: false, notes: [`${gpu.bdf} is driven by ${gpu.driver ?? 'nothing'}, not by vfio-pci.`] },
  }
}
