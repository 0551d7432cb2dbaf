import { definePlugin } from '@backplane/sdk'
import { provider, type ExportItem, type VmInfo } from '@hypersdk/points'
import { ApiClient } from './api-client.ts'
import { dropletId, readDroplet, tagName } from './droplet.ts'
import { digitalOceanErrors } from './errors.ts'
import { readSettings } from './settings.ts'
import { createSnapshot, deleteSnapshot, listSnapshots } from './snapshots.ts'

const defaultPollMs = 5000

/** Serves the droplets of a DigitalOcean account as virtual machines. */
export default definePlugin((scope) => {
  scope.provide(provider, 'digitalocean', {
    open: (config) => {
      const api = new ApiClient(readSettings(config, scope.secrets))
      const poll = config.metadata?.['poll_ms']
      const pollMs = typeof poll === 'number' && poll >= 0 ? poll : defaultPollMs
      return {
        validateCredentials: async (_nothing, call) => {
          await api.request({ method: 'GET', path: '/v2/account', what: 'account' }, call)
          return null
        },
        listVms: async ({ tags = {} }, call): Promise<VmInfo[]> => {
          // The API filters by one tag; the host applies the whole filter to the answer.
          const [tag] = Object.entries(tags)
          const filter = tag === undefined ? '' : `&tag_name=${encodeURIComponent(tagName(...tag))}`
          return (await api.list(`/v2/droplets?per_page=200${filter}`, 'droplets', call)).map(readDroplet)
        },
        getVm: async ({ id }, call) => {
          const path = `/v2/droplets/${dropletId(id)}`
          const { droplet } = await api.request({ method: 'GET', path, what: `droplet ${id}` }, call)
          return readDroplet(droplet)
        },
        searchVms: async ({ query }, call) => {
          const wanted = query.toLowerCase()
          const machines = (await api.list('/v2/droplets?per_page=200', 'droplets', call)).map(readDroplet)
          return machines.filter((vm) =>
            [vm.id, vm.name, ...vm.ip_addresses, ...Object.entries(vm.tags).flat()].join('\n').toLowerCase().includes(wanted),
          )
        },
        exportVm: ({ id }) => refuseExport(id),
        listSnapshots: ({ id }, call) => listSnapshots(api, id, call),
        createSnapshot: ({ id, name }, call) => createSnapshot(api, { id, name, pollMs }, call),
        deleteSnapshot: async (unwanted, call) => {
          await deleteSnapshot(api, unwanted, call)
          return null
        },
      }
    },
  })
})

// oxlint-disable-next-line require-yield -- it is the answer to a stream, and there is nothing to stream
async function* refuseExport(id: string): AsyncGenerator<ExportItem> {
  throw digitalOceanErrors.error('DIGITALOCEAN_EXPORT_IMPOSSIBLE', { id })
}
