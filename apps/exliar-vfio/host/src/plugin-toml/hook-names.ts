/**
 * What the methods of a plugin in the style of the seed are called, and the points they fill. Source: seed 004, "Plugin
 * Interface".
 */
export const hookMethods: Readonly<Record<string, string>> = {
  on_system_detected: 'exliar.system-detected',
  on_device_enumeration: 'exliar.device-enumeration',
  on_gpu_detected: 'exliar.gpu-detected',
  on_pre_vfio_bind: 'exliar.pre-vfio-bind',
  on_post_vfio_bind: 'exliar.post-vfio-bind',
  on_pre_initramfs_update: 'exliar.pre-initramfs-update',
  on_post_initramfs_update: 'exliar.post-initramfs-update',
  on_pre_bootloader_update: 'exliar.pre-bootloader-update',
  on_post_bootloader_update: 'exliar.post-bootloader-update',
  on_pre_vm_start: 'exliar.pre-vm-start',
  on_post_vm_shutdown: 'exliar.post-vm-shutdown',
  on_cleanup: 'exliar.cleanup',
  on_ui_event: 'exliar.ui-event',
}

/** What subscribes to events of other plugins. */
export const subscribeMethod = 'subscribe'

/** The name under which a method's handler is declared and registered. */
export const handlerName = 'plugin'

/** `onGpuDetected`, `on-gpu-detected` and `on_gpu_detected` are one name. */
export function snakeCase(name: string): string {
  return name
    .replaceAll(/([a-z\d])([A-Z])/g, '$1_$2')
    .replaceAll('-', '_')
    .toLowerCase()
}
