import { satisfies } from 'semver'
import type { Demand } from './demands.ts'

/** Whether a version is in a range. A version before a release only where the range names one. */
export function fits(version: string, range: string): boolean {
  return satisfies(version, range)
}

/**
 * Whether a version is what is demanded. Who asks by a reference, or for what a plugin offers, has said nothing about its
 * version: then one before a release will do as well.
 */
export function meets(version: string, { range, from, capability }: Demand): boolean {
  return (range === '*' && (from === undefined || capability !== undefined)) || fits(version, range)
}
