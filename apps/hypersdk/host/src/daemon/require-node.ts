import { hypersdkErrors } from '../errors.ts'

/** Oldest Node major version the product runs on. */
const oldestMajor = 24

/** What to tell the user of a Node that is too old, else undefined. */
export function nodeProblem(version: string): string | undefined {
  if (Number(version.split('.')[0]) >= oldestMajor) return undefined
  const error = hypersdkErrors.error('DAEMON_NODE_TOO_OLD', { version, needed: oldestMajor })
  return `${error.code}: ${error.message}\n${error.hint}\n`
}
