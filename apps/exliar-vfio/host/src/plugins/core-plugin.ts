import { definePlugin } from '@backplane/sdk'
import type { BundledItem } from '@backplane/sources'
import { bootService, changeService, deviceService, metricsService, systemService, vfioService } from '@exliar-vfio/points'
import { exliarErrors } from '../errors.ts'
import { productVersion } from '../product.ts'
import type { CoreServices } from './core-services.ts'

/** Id of the plugin that is the program itself. */
export const coreId = 'exliar/core'

const name = 'core'
const services = [systemService, deviceService, vfioService, bootService, changeService, metricsService]

/** The program's own services, as a plugin of it: other plugins reach them through the one dispatcher. */
export function corePlugin(core: CoreServices): BundledItem {
  const manifest = {
    schemaVersion: 1,
    id: coreId,
    version: productVersion(),
    description: 'The services of exliar itself',
    requires: { api: '*' },
    contributes: Object.fromEntries(services.map(({ id }) => [id, { [name]: {} }])),
  }
  const module = definePlugin((scope) => {
    scope.provide(systemService, name, { info: (_, call) => core.system(call) })
    scope.provide(deviceService, name, {
      list: async (_, call) => [...(await core.devices(call))],
      gpus: async (_, call) => [...(await core.gpus(call))],
      get: async ({ bdf }, call) => {
        const found = (await core.devices(call)).find((device) => device.bdf === bdf)
        if (found === undefined) throw exliarErrors.error('DEVICE_UNKNOWN', { bdf })
        return found
      },
    })
    scope.provide(vfioService, name, {
      bind: ({ bdf }, call) => core.bind(bdf, call),
      unbind: ({ bdf }, call) => core.unbind(bdf, call),
    })
    scope.provide(bootService, name, {
      parameters: async (_, call) => [...(await core.parameters(call))],
      add: async ({ parameters }, call) => [...(await core.addParameters(parameters, call))],
      remove: async ({ parameters }, call) => [...(await core.removeParameters(parameters, call))],
    })
    scope.provide(changeService, name, { list: async (_, call) => [...(await core.changes(call))] })
    scope.provide(metricsService, name, { sample: ({ domain }, call) => core.metrics(domain, call) })
  })
  return { manifest, module }
}
