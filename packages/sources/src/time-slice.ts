import { setImmediate } from 'node:timers/promises'

/**
 * Lets long synchronous work breathe: call the result between two steps, and await what it answers. Synchronous file
 * calls cost a sixth of awaited ones (lstat: 4 µs against 27), so a look at thousands of folders is made of them, in
 * slices short enough for the calls a host serves meanwhile.
 */
export function timeSlice(sliceMs = 8): () => Promise<void> | undefined {
  let startedAt = performance.now()
  const breathe = async (): Promise<void> => {
    await setImmediate()
    startedAt = performance.now()
  }
  return () => {
    if (performance.now() - startedAt < sliceMs) return undefined
    return breathe()
  }
}
