import { definePlugin } from '@backplane/sdk'
import { command, gpuDetected, gpuOptimization, panel, preVfioBind } from '@exliar-vfio/points'

export default definePlugin((scope) => {
  scope.on(gpuDetected, 'remember', async (gpu, call) => {
    call.log.info(`GPU detected: ${gpu.model_name} (${gpu.vendor})`)
    await scope.state.set(`gpu/${gpu.bdf}`, gpu.model_name)
  })

  scope.on(preVfioBind, 'keep-the-screen', (device) =>
    scope.config.keep_the_screen && device.boot_vga ? { veto: 'the firmware shows its picture on it' } : undefined,
  )

  gpuOptimization.subscribe(scope, 'optimised', (event, call) => {
    call.log.info(`${call.caller} changed ${event.gpu_id}`, { optimizations: event.optimizations })
  })

  const cards = async () => {
    const keys = await scope.state.keys('gpu/')
    return Promise.all(keys.map(async (key) => `${key.slice('gpu/'.length)}  ${String(await scope.state.get(key))}`))
  }

  scope.provide(command, 'gpu-journal', {
    run: async () => {
      const found = await cards()
      return { text: found.join('\n'), data: found }
    },
  })

  scope.provide(panel, 'gpu-journal', {
    render: async () => ({ items: (await cards()).map((text) => ({ kind: 'text', text })) }),
  })
})
