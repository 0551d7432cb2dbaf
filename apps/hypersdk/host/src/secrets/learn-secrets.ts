import type { Redactor } from './redactor.ts'

/** Members whose texts are secrets, wherever they come from. */
export const secretMember: RegExp = /pass(word|phrase)|token|secret|credential|key$/i

/**
 * Makes a redactor know every text below a secret member of a configuration: one that was written out or came from the
 * environment is as secret as one from the broker.
 */
export function learnSecrets(value: unknown, redactor: Redactor, isSecret = false): void {
  if (typeof value === 'string' && isSecret) redactor.learn(value)
  if (typeof value !== 'object' || value === null) return
  for (const [key, item] of Object.entries(value)) learnSecrets(item, redactor, isSecret || secretMember.test(key))
}
