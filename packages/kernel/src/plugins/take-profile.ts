import { kernelErrors } from '../errors.ts'
import type { ProfileKind, ProfileOptions } from '../ports.ts'
import type { Generation } from './generation.ts'
import type { Plugin } from './plugin.ts'

const profiled = new WeakSet<Generation>()
/** Those that stand still because somebody wants their heap; `taken` until the next look at what they use. */
const heaps = new WeakMap<Generation, 'being taken' | 'taken'>()

/** Profiles the generation that serves, one profile at a time. Errors: `PROFILE_NOT_RUNNING`, `PROFILE_SHARED`, `PROFILE_BUSY`. */
export async function* takeProfile(plugin: Plugin, kind: ProfileKind, options: ProfileOptions): AsyncGenerator<Uint8Array> {
  const { id, serving } = plugin
  if (serving === undefined)
    throw kernelErrors.error('PROFILE_NOT_RUNNING', { plugin: id, state: plugin.state.name }, { plugin: id })
  const { instance } = serving
  if (instance.profile === undefined)
    throw kernelErrors.error('PROFILE_SHARED', { plugin: id, tier: instance.tier }, { plugin: id })
  if (profiled.has(serving)) throw kernelErrors.error('PROFILE_BUSY', { plugin: id }, { plugin: id })
  profiled.add(serving)
  if (kind === 'heap') heaps.set(serving, 'being taken')
  try {
    yield* instance.profile(kind, options)
  } finally {
    profiled.delete(serving)
    if (kind === 'heap') heaps.set(serving, 'taken')
  }
}

/** Whether a generation cannot answer because its heap is being taken. */
export function isHeapTaken(generation: Generation): boolean {
  return heaps.get(generation) === 'being taken'
}

/** Whether that is why it stood still; after the end of it, true once. */
export function stoodForHeap(generation: Generation): boolean {
  const heap = heaps.get(generation)
  if (heap === 'taken') heaps.delete(generation)
  return heap !== undefined
}
