import { definePlugin } from '@backplane/sdk'
import { deviceService, gpuHandler } from '@exliar-vfio/points'
import { amd, resetQuirks, resetReadiness, resetWarnings } from './reset-advice.ts'

export default definePlugin((scope) => {
  const devices = scope.use(deviceService, 'core')

  scope.provide(gpuHandler, 'amd', {
    supportsDevice: ({ gpu }) => gpu.vendor_id === amd,
    applyQuirks: ({ gpu, system }) => resetQuirks(gpu, system),
    prepareForPassthrough: ({ gpu, system }) => resetWarnings(gpu, system),
    verifyPassthroughReady: async ({ gpu, system }, call) => {
      const device = await devices.get({ bdf: gpu.bdf }, { signal: call.signal })
      return resetReadiness(gpu, device, system)
    },
  })
})
