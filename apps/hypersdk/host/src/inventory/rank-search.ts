import type { VmInfo } from '@hypersdk/points'

/**
 * The machines in which every word of a query occurs, best first: a whole id or name before the start of a name, before
 * a part of it, before tags, addresses and the rest. Equal ones by name, then id. An empty query keeps all.
 */
export function rankSearch(vms: readonly VmInfo[], query: string): VmInfo[] {
  const words = query
    .toLowerCase()
    .split(/\s+/)
    .filter((word) => word !== '')
  const whole = words.join(' ')
  return vms
    .map((vm) => ({ vm, score: scoreOf(vm, words, whole) }))
    .filter(({ score }) => score !== undefined)
    .sort((a, b) => (b.score ?? 0) - (a.score ?? 0) || compareVms(a.vm, b.vm))
    .map(({ vm }) => vm)
}

/** Order of lists: by name, then id. */
export function compareVms(a: VmInfo, b: VmInfo): number {
  return a.name.localeCompare(b.name, 'en') || (a.id < b.id ? -1 : a.id > b.id ? 1 : 0)
}

/** The worst word decides, so that a machine good at all words beats one good at a single one. */
function scoreOf(vm: VmInfo, words: readonly string[], whole: string): number | undefined {
  const name = vm.name.toLowerCase()
  const id = vm.id.toLowerCase()
  if (whole === name || whole === id) return 100
  const rest = searchable(vm)
  const scores = words.map((word) => wordScore(word, name, id, rest))
  return scores.includes(0) ? undefined : Math.min(90, ...scores)
}

function wordScore(word: string, name: string, id: string, rest: readonly string[]): number {
  if (name.startsWith(word)) return 80
  if (name.split(/[^\p{L}\p{N}]+/u).some((part) => part.startsWith(word))) return 70
  if (name.includes(word)) return 60
  if (id.includes(word)) return 50
  if (rest.includes(word)) return 40
  return rest.some((text) => text.includes(word)) ? 20 : 0
}

function searchable(vm: VmInfo): string[] {
  const metadata = Object.values(vm.metadata).filter((value) => typeof value === 'string')
  const tags = Object.entries(vm.tags).flatMap(([key, value]) => [key, value, `${key}=${value}`])
  const own = [vm.location, vm.guest_os, vm.state, vm.power_state, ...vm.ip_addresses]
  return [...own, ...tags, ...metadata].map((text) => text.toLowerCase())
}
