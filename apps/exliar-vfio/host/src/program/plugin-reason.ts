import type { PluginRecord } from '@backplane/kernel'

/** Why a plugin is as it is, in sentences; empty where there is nothing to say. */
export function reasonOf({ state }: Pick<PluginRecord, 'state'>): string {
  if ('failure' in state) return `${state.failure.message}${state.failure.hint === undefined ? '' : ` ${state.failure.hint}`}`
  return 'reason' in state ? state.reason : ''
}
