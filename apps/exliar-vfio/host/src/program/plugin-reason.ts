import type { Failure } from '@backplane/kernel'
import type { ListedPlugin } from './listed-plugins.ts'

/** Why a plugin is as it is, in sentences; empty where there is nothing to say. */
export function reasonOf({ state, refusal }: Pick<ListedPlugin, 'state' | 'refusal'>): string {
  if (refusal !== undefined) return `Its first use would be refused: ${sentencesOf(refusal)}`
  if ('failure' in state) return sentencesOf(state.failure)
  return 'reason' in state ? state.reason : ''
}

function sentencesOf({ message, hint }: Failure): string {
  return hint === undefined ? message : `${message.replace(/(?<![.!?])$/, '.')} ${hint}`
}
