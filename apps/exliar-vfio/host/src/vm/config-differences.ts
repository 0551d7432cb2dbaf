import { isDeepStrictEqual } from 'node:util'
import type { VmConfig } from '@exliar-vfio/points'

/** What two configurations differ in, for people: `features.kvm_hidden`, `devices 0000:01:00.0`, `extra_arguments`. */
export function configDifferences(before: VmConfig, after: VmConfig): string[] {
  const { devices, features, ...rest } = before
  const bdfs = new Set([...devices, ...after.devices].map(({ bdf }) => bdf))
  const of = (config: VmConfig, wanted: string): unknown => config.devices.find(({ bdf }) => bdf === wanted)
  return [
    ...keysOf(rest).filter((key) => !isDeepStrictEqual(before[key], after[key])),
    ...keysOf(features)
      .filter((key) => features[key] !== after.features[key])
      .map((key) => `features.${key}`),
    ...[...bdfs].filter((bdf) => !isDeepStrictEqual(of(before, bdf), of(after, bdf))).map((bdf) => `devices ${bdf}`),
  ]
}

function keysOf<T extends object>(value: T): (keyof T & string)[] {
  return Object.keys(value) as (keyof T & string)[]
}
