import { satisfies } from 'semver'

/** Whether a version is in a range. A version before a release only where the range names one. */
export function fits(version: string, range: string): boolean {
  return satisfies(version, range)
}
