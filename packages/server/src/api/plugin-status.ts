import type { PluginRecord, PluginState, StateName } from '@backplane/kernel'

/** The four words older clients know a plugin's state by. */
export type PluginStatus = 'loaded' | 'failed' | 'disabled' | 'unloaded'

// An idle plugin counts as loaded, because its first call starts it.
const statuses: Readonly<Record<StateName, PluginStatus>> = {
  discovered: 'unloaded',
  checked: 'unloaded',
  blocked: 'disabled',
  resolved: 'loaded',
  idle: 'loaded',
  starting: 'loaded',
  active: 'loaded',
  draining: 'unloaded',
  stopped: 'unloaded',
  disabled: 'disabled',
  failed: 'failed',
  quarantined: 'failed',
}

/** Every state there is. */
export const stateNames = Object.keys(statuses) as readonly StateName[]

/** Projects a state. */
export function pluginStatus(state: PluginState): PluginStatus {
  return statuses[state.name]
}

/** Why a plugin is in its state, when the state has a reason. */
export function stateReason(state: PluginState): string | undefined {
  if ('failure' in state) return state.failure.message
  return 'reason' in state ? state.reason : undefined
}

/** Number of the generation that serves, else of the newest start; one that failed beside what serves is neither. */
export function shownGeneration({ state, generation }: PluginRecord): number {
  return state.name === 'active' ? state.generation : generation
}
