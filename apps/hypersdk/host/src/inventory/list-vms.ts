import type { CallOptions, OpenedClient } from '@backplane/sdk'
import type { provider, VmFilter, VmInfo } from '@hypersdk/points'
import { matchesFilter } from './matches-filter.ts'
import { normaliseVm } from './normalise-vm.ts'
import { compareVms, rankSearch } from './rank-search.ts'

/** Where a list comes from, and what goes with the call. */
export interface InventoryQuery extends CallOptions {
  /** Goes into each machine's `provider`. */
  readonly providerType: string
}

/**
 * The machines of one provider that match a filter, each once, sorted by name and id. The plugin may use the filter to
 * fetch less; every member is applied again here, so a plugin that ignores it changes nothing. State words are kept from
 * the plugin: one that compares them with its own vocabulary would leave out machines that do match.
 */
export async function listVms(client: OpenedClient<typeof provider>, filter: VmFilter, query: InventoryQuery): Promise<VmInfo[]> {
  const { state: _state, power_state: _powerState, ...narrowing } = filter
  const { providerType, ...call } = query
  const vms = normaliseAll(await client.listVms(narrowing, call), providerType)
  return vms.filter((vm) => matchesFilter(vm, filter)).sort(compareVms)
}

/** The machines that match every word of a text, best first. */
export async function searchVms(client: OpenedClient<typeof provider>, text: string, query: InventoryQuery): Promise<VmInfo[]> {
  const { providerType, ...call } = query
  return rankSearch(normaliseAll(await client.searchVms({ query: text }, call), providerType), text)
}

/** One machine by the provider's own id. */
export async function getVm(client: OpenedClient<typeof provider>, id: string, query: InventoryQuery): Promise<VmInfo> {
  const { providerType, ...call } = query
  return normaliseVm(await client.getVm({ id }, call), providerType)
}

/** Of two machines with one id the first stays. */
function normaliseAll(vms: readonly VmInfo[], providerType: string): VmInfo[] {
  const byId = new Map<string, VmInfo>()
  for (const vm of vms) if (!byId.has(vm.id)) byId.set(vm.id, normaliseVm(vm, providerType))
  return [...byId.values()]
}
