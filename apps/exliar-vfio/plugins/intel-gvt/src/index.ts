import { definePlugin } from '@backplane/sdk'
import { gpuHandler } from '@exliar-vfio/points'
import { gvtNotes, gvtQuirks, gvtReadiness, intel } from './gvt-advice.ts'

export default definePlugin<{ readonly share: boolean }>((scope) => {
  const { share } = scope.config
  scope.provide(gpuHandler, 'intel', {
    supportsDevice: ({ gpu }) => gpu.vendor_id === intel,
    applyQuirks: ({ gpu, system }) => (share ? gvtQuirks(gpu, system) : []),
    prepareForPassthrough: ({ gpu, system }) => gvtNotes(gpu, system, share),
    verifyPassthroughReady: ({ gpu, system }) => gvtReadiness(gpu, system, share),
  })
})
