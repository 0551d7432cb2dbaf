import type { CallOptions, OpenedClient } from '@backplane/sdk'
import type { provider, VmFilter, VmInfo } from '@hypersdk/points'

/** Where a list comes from, and what goes with the call. */
export interface InventoryQuery extends CallOptions {
  /** Goes into each machine's `provider`. */
  readonly providerType: string
}

/** `listVms` in list-vms.ts: lists, normalises, and applies every member of the filter itself. Sorted by name, then id. */
export type ListVms = (client: OpenedClient<typeof provider>, filter: VmFilter, query: InventoryQuery) => Promise<VmInfo[]>

/** `searchVms` in list-vms.ts: best match first; machines that do not match are dropped. */
export type SearchVms = (client: OpenedClient<typeof provider>, text: string, query: InventoryQuery) => Promise<VmInfo[]>

/** `getVm` in list-vms.ts. */
export type GetVm = (client: OpenedClient<typeof provider>, id: string, query: InventoryQuery) => Promise<VmInfo>
