import { definePlugin } from '@backplane/sdk'
import { allPoints } from '@exliar-vfio/points'

/** Every hook, with what of its value is worth saying. */
const hooks = {
  'system-detected': ({ distribution }) => distribution.name,
  'device-enumeration': (devices) => `${devices.length} functions`,
  'gpu-detected': ({ bdf }) => bdf,
  'pre-vfio-bind': ({ bdf, driver }) => `${bdf} of ${driver}`,
  'post-vfio-bind': ({ bdf, driver }) => `${bdf} of ${driver}`,
  'pre-initramfs-update': ({ system }) => system,
  'post-initramfs-update': ({ system }) => system,
  'pre-bootloader-update': ({ bootloader }) => bootloader,
  'post-bootloader-update': ({ bootloader }) => bootloader,
  'pre-vm-start': ({ name, features }) => `${name}, KVM ${features.kvm_hidden ? 'hidden' : 'shown'}`,
  'vm-started': ({ name }) => name,
  'post-vm-shutdown': ({ name, ended_by }) => `${name} ended by ${ended_by}`,
  cleanup: ({ reason }) => reason,
}

export default definePlugin((scope) => {
  scope.log.info('on_load')
  scope.defer(() => scope.log.info('on_unload'))
  for (const [hook, words] of Object.entries(hooks)) {
    const point = allPoints.find(({ id }) => id === `exliar.${hook}`)
    scope.on(point, 'say', (value, call) => call.log.info(`${hook} ${words(value)}`))
  }
})
