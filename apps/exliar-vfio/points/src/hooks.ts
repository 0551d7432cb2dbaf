import { defineHook, type HookPoint } from '@backplane/sdk'
import { z } from 'zod'
import { GpuDevice, PciDevice } from './devices.ts'
import { UiEvent } from './panels.ts'
import { BootloaderConfig, InitramfsConfig, SystemInfo } from './system-info.ts'
import { VmConfig, VmStats } from './virtual-machine.ts'

/*
 * In the order of a machine's life. What is told (`all`) never stops the step: a handler that fails is named in the
 * outcome and passed over. What is asked before a step (`veto`, and the pipe before a start) stops it: by a veto with its
 * reason, or by failing. Source: seed 004, "Plugin Interface" and "Plugin Lifecycle Example".
 */

const told = { strategy: 'all', timeoutMs: 10_000 } as const
const asked = { strategy: 'veto', timeoutMs: 30_000 } as const

/** Once the system is known, before devices are looked at. */
export const systemDetected: HookPoint<SystemInfo> = defineHook('exliar.system-detected', {
  ...told,
  title: 'Told what machine this is',
  value: SystemInfo,
})

/** Once every PCI function is known, before graphics adapters are assessed. */
export const deviceEnumeration: HookPoint<readonly PciDevice[]> = defineHook('exliar.device-enumeration', {
  ...told,
  title: 'Told of every PCI function',
  permission: 'pci:read',
  value: z.array(PciDevice).readonly(),
})

/** Once for each graphics adapter. */
export const gpuDetected: HookPoint<GpuDevice> = defineHook('exliar.gpu-detected', {
  ...told,
  title: 'Told of each graphics adapter',
  permission: 'pci:read',
  value: GpuDevice,
})

/** Before one function is bound to VFIO, for each function of the plan; a veto stops the whole plan. */
export const preVfioBind: HookPoint<PciDevice> = defineHook('exliar.pre-vfio-bind', {
  ...asked,
  title: 'Asked before a function is bound to VFIO',
  permission: 'pci:read',
  value: PciDevice,
})

/** After one function was bound; the device is as it is now. */
export const postVfioBind: HookPoint<PciDevice> = defineHook('exliar.post-vfio-bind', {
  ...told,
  title: 'Told that a function was bound to VFIO',
  permission: 'pci:read',
  value: PciDevice,
})

/** Before the initial file system's configuration is written and the image made. */
export const preInitramfsUpdate: HookPoint<InitramfsConfig> = defineHook('exliar.pre-initramfs-update', {
  ...asked,
  title: 'Asked before the initial file system is made anew',
  value: InitramfsConfig,
})

/** After the image was made, or where it was only planned, after the configuration was written. */
export const postInitramfsUpdate: HookPoint<InitramfsConfig> = defineHook('exliar.post-initramfs-update', {
  ...told,
  title: 'Told that the initial file system was made anew',
  value: InitramfsConfig,
})

/** Before the kernel's command line is written. */
export const preBootloaderUpdate: HookPoint<BootloaderConfig> = defineHook('exliar.pre-bootloader-update', {
  ...asked,
  title: "Asked before the kernel's command line is changed",
  value: BootloaderConfig,
})

/** After the kernel's command line was written. */
export const postBootloaderUpdate: HookPoint<BootloaderConfig> = defineHook('exliar.post-bootloader-update', {
  ...told,
  title: "Told that the kernel's command line was changed",
  value: BootloaderConfig,
})

/** Before a machine starts; each handler gets the configuration as the one before left it. Throwing stops the start. */
export const preVmStart: HookPoint<VmConfig> = defineHook('exliar.pre-vm-start', {
  strategy: 'pipe',
  timeoutMs: 30_000,
  title: "Change or refuse a machine's configuration before it starts",
  permission: 'vm:edit',
  value: VmConfig,
})

/**
 * A run begins to be watched, in the process that stays until it has ended and tells of its end: right before the machine
 * runs, or with one that runs already. `preVmStart` is asked by a process that may end before the machine runs.
 */
export const vmStarted: HookPoint<VmConfig> = defineHook('exliar.vm-started', {
  ...told,
  title: 'Told that a run of a machine is watched from now on',
  permission: 'vm:read',
  value: VmConfig,
})

/** After a machine ended, whichever way. */
export const postVmShutdown: HookPoint<VmStats> = defineHook('exliar.post-vm-shutdown', {
  ...told,
  title: 'Told how a run of a machine went',
  permission: 'vm:read',
  value: VmStats,
})

/** Before everything that was changed is taken back, and before the plugin itself is stopped for good. */
export const cleanup: HookPoint<{ readonly reason: 'cleanup' | 'rollback' }> = defineHook('exliar.cleanup', {
  ...told,
  title: 'Told that everything is about to be taken back',
  value: z.object({ reason: z.enum(['cleanup', 'rollback']) }).readonly(),
})

/** Something happened to a panel in the terminal, or later in the web. Only the panel's own plugin is told. */
export const uiEvent: HookPoint<UiEvent> = defineHook('exliar.ui-event', {
  ...told,
  title: 'Told what a person did in a panel',
  value: UiEvent,
})
