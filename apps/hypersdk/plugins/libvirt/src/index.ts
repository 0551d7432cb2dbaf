import { definePlugin } from '@backplane/sdk'
import { provider } from '@hypersdk/points'
import { exportDomain } from './export-domain.ts'
import { FrozenDisks } from './frozen-disks.ts'
import { getDomain, listDomains } from './list-domains.ts'
import { createSnapshot, deleteSnapshot, listSnapshots } from './snapshots.ts'
import { connectVirsh } from './virsh.ts'

/** Serves the domains of a libvirt hypervisor as virtual machines. */
export default definePlugin((scope) => {
  const frozen = new FrozenDisks(scope.state, scope.log)
  scope.provide(provider, 'libvirt', {
    open: (config) => {
      const virsh = connectVirsh(config)
      const { quiesce, overlay_directory: overlays } = config.metadata ?? {}
      const freezing = { quiesce: quiesce === true, overlayDirectory: typeof overlays === 'string' ? overlays : undefined }
      return {
        validateCredentials: async (_nothing, call) => {
          await virsh.run(['uri'], call.signal)
          return null
        },
        listVms: (_filter, call) => listDomains(virsh, call.signal),
        getVm: ({ id }, call) => getDomain(virsh, id, call.signal),
        searchVms: async ({ query }, call) => {
          const wanted = query.toLowerCase()
          const machines = await listDomains(virsh, call.signal)
          return machines.filter((vm) => `${vm.id}\n${vm.name}\n${vm.guest_os}`.toLowerCase().includes(wanted))
        },
        exportVm: (request, call) => exportDomain({ virsh, frozen, freezing }, request, call),
        cleanupExport: async ({ export_id: exportId }, call) => {
          await frozen.release(virsh, exportId, call.signal)
          return null
        },
        listSnapshots: ({ id }, call) => listSnapshots(virsh, id, call.signal),
        createSnapshot: (wanted, call) => createSnapshot(virsh, wanted, call.signal),
        deleteSnapshot: async (unwanted, call) => {
          await deleteSnapshot(virsh, unwanted, call.signal)
          return null
        },
      }
    },
  })
})
