import type { VmFilter, VmInfo } from '@hypersdk/points'
import { nameGlob } from './name-glob.ts'
import { normaliseState } from './vm-state.ts'

/**
 * Whether a normalised machine is what a filter asks for; every member given must hold. `name_pattern` is a glob
 * as of {@link nameGlob}. `state` and `power_state` take the API's words and any provider's.
 */
export function matchesFilter(vm: VmInfo, filter: VmFilter): boolean {
  return (
    (filter.name_pattern === undefined || nameMatcher(filter.name_pattern)(vm.name)) &&
    inState(vm, filter.state) &&
    inState(vm, filter.power_state) &&
    Object.entries(filter.tags ?? {}).every(([key, value]) => Object.hasOwn(vm.tags, key) && vm.tags[key] === value) &&
    (filter.location === undefined || same(vm.location, filter.location)) &&
    vm.memory_mb >= (filter.min_memory_mb ?? 0) &&
    vm.num_cpus >= (filter.min_cpus ?? 0)
  )
}

/** The two state members are alternatives that providers fill differently, so either matches either. */
function inState(vm: VmInfo, wanted: string | undefined): boolean {
  if (wanted === undefined || same(vm.power_state, wanted) || same(vm.state, wanted)) return true
  const state = normaliseState(wanted)
  return state !== 'unknown' && state === vm.state
}

function same(a: string, b: string): boolean {
  return a.trim().toLowerCase() === b.trim().toLowerCase()
}

let last: { readonly pattern: string; readonly matcher: (name: string) => boolean } | undefined

// A list asks with one pattern for every machine, so the last compiled one is kept.
function nameMatcher(pattern: string): (name: string) => boolean {
  if (last?.pattern !== pattern) last = { pattern, matcher: nameGlob(pattern) }
  return last.matcher
}
