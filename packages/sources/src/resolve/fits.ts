import { satisfies } from 'semver'
import type { Demand } from './demands.ts'

/** Longer ranges are fit by nothing, as in the kernel: they come from strangers, and can take seconds to read. */
const longestRange = 256

/** Whether a version is in a range. A version before a release only where the range names one. */
export function fits(version: string, range: string): boolean {
  return range.length <= longestRange && satisfies(version, range)
}

/**
 * Whether a version is what is demanded. Who asks by a reference, or for what a plugin offers, has said nothing about its
 * version: then one before a release will do as well.
 */
export function meets(version: string, { range, from, capability }: Demand): boolean {
  return (range === '*' && (from === undefined || capability !== undefined)) || fits(version, range)
}
