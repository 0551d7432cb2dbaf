import { isIP } from 'node:net'
import type { VmInfo } from '@hypersdk/points'
import { normaliseTime } from './normalise-time.ts'
import { normaliseState } from './vm-state.ts'

/**
 * One machine as the API shows it, whatever its provider answered. `state` becomes one of four words; the provider's own
 * word stays in `power_state`. Idempotent.
 */
export function normaliseVm(vm: VmInfo, providerType: string): VmInfo {
  const state = normaliseState(vm.state)
  return {
    ...vm,
    provider: providerType,
    name: vm.name.trim() || vm.id.trim() || vm.id,
    state: state === 'unknown' ? normaliseState(vm.power_state) : state,
    power_state: vm.power_state.trim() || ownWord(vm.state.trim()),
    location: vm.location.trim(),
    memory_mb: Math.round(vm.memory_mb),
    num_cpus: Math.round(vm.num_cpus),
    ip_addresses: addresses(vm.ip_addresses),
    tags: normaliseTags(vm.tags),
    created_at: normaliseTime(vm.created_at),
    updated_at: normaliseTime(vm.updated_at),
  }
}

// What a schema's default or an earlier round put there is not the provider's word.
function ownWord(state: string): string {
  return state === 'unknown' ? '' : state
}

/** Keys and values trimmed, keys sorted, keyless entries dropped. */
function normaliseTags(tags: Readonly<Record<string, string>>): Record<string, string> {
  const entries = Object.entries(tags).map(([key, value]) => [key.trim(), value.trim()] as const)
  return Object.fromEntries(entries.filter(([key]) => key !== '').sort(([a], [b]) => (a < b ? -1 : 1)))
}

/** Each address once, without prefix length; what is no address is dropped. */
function addresses(found: readonly string[]): string[] {
  const bare = found.map((address) =>
    address
      .trim()
      .replace(/\/\d+$/, '')
      .toLowerCase(),
  )
  return [...new Set(bare.filter((address) => isIP(address) !== 0))]
}
