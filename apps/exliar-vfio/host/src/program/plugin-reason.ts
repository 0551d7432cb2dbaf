import type { PluginRecord } from '@backplane/kernel'

/** Why a plugin is as it is, in sentences; empty where there is nothing to say. */
export function reasonOf({ state }: Pick<PluginRecord, 'state'>): string {
  if ('failure' in state) {
    const { message, hint } = state.failure
    return hint === undefined ? message : `${message.replace(/(?<![.!?])$/, '.')} ${hint}`
  }
  return 'reason' in state ? state.reason : ''
}
