import { definePlugin, type Call, type Scope } from '@backplane/sdk'
import { gpuDetected, gpuHandler, gpuOptimization, preVmStart } from '@exliar-vfio/points'
import { hideHypervisor, mayRefuse, nvidia, type NvidiaSettings } from './code-43.ts'
import { nvidiaHandler } from './gpu-handler.ts'

/** What is known of one card, under the key of the seed. Source: seed 004, "NVIDIA-specific handler plugin". */
const vulnerableKey = (bdf: string): string => `gpu_${bdf}_code_43_vulnerable`

/** Other plugins are told, and may take this long before the machine starts without waiting for them, ms. */
const tellMs = 3_000

export default definePlugin<NvidiaSettings>((scope) => {
  const { when, vendor_id: vendorId, guest_drivers: drivers } = scope.config

  scope.provide(gpuHandler, 'nvidia', nvidiaHandler(scope.config))

  scope.on(gpuDetected, 'remember', async (gpu, call) => {
    if (gpu.vendor_id !== nvidia) return
    call.log.info(`NVIDIA GPU detected: ${gpu.model_name}`, { bdf: gpu.bdf })
    await scope.state.set(vulnerableKey(gpu.bdf), gpu.capabilities.needs_code_43_workaround)
  })

  scope.on(preVmStart, 'code-43', async (config, call) => {
    const driver = Object.hasOwn(drivers, config.name) ? drivers[config.name] : undefined
    // A card nobody has looked at yet may be one that needs it.
    const needsIt = async (bdf: string): Promise<boolean> =>
      when === 'always' || (mayRefuse(driver) && (await scope.state.get(vulnerableKey(bdf))) !== false)
    const { config: hidden, changed } = hideHypervisor(config, vendorId)
    if (when === 'never' || changed.length === 0) return undefined

    const cards = config.devices.filter((device) => device.is_gpu && device.vendor_id === nvidia)
    const needing: string[] = []
    for (const { bdf } of cards) if (await needsIt(bdf)) needing.push(bdf)
    if (needing.length === 0) return undefined

    for (const bdf of needing)
      call.log.info(`Applied NVIDIA Code 43 workarounds for GPU ${bdf}`, { machine: config.name, changed })
    await Promise.all(needing.map((bdf) => tell(scope, call, { gpu_id: bdf, optimizations: changed })))
    return hidden
  })
})

/** A plugin that does not listen well is no reason to keep a machine from starting. */
async function tell(scope: Scope<NvidiaSettings>, call: Call, told: { gpu_id: string; optimizations: string[] }): Promise<void> {
  try {
    await gpuOptimization.emit(scope, told, { signal: call.signal, deadlineMs: tellMs })
  } catch (error) {
    call.log.warn('other plugins were not told', { ...told, error })
  }
}
