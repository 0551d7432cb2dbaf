import { setTimeout as wait } from 'node:timers/promises'
import { getHeapSnapshot, startCpuProfile } from 'node:v8'
import type { ProfileKind } from '@backplane/kernel'
import { byteChunks } from './byte-chunks.ts'
import { noProfiler, profileFailed } from './profile-failed.ts'

/** What a guest is asked for; the text of its target is `profile`. */
export interface ProfileRequest {
  readonly kind: ProfileKind
  readonly durationMs: number
}

// Taken before any code of a plugin's can replace them; undefined on Node before 24.12.
const startCpu: typeof startCpuProfile | undefined = startCpuProfile
const takeHeap = getHeapSnapshot

/**
 * Profiles this process from inside: needs no file, no debugger and no permission. Nothing is written anywhere; the reader
 * sets the pace. Ended early, the profiler stops.
 */
export async function* guestProfile(request: ProfileRequest, signal: AbortSignal): AsyncGenerator<Uint8Array> {
  yield* byteChunks(request.kind === 'heap' ? takeHeap() : [await cpuProfile(request.durationMs, signal)])
}

async function cpuProfile(durationMs: number, signal: AbortSignal): Promise<Uint8Array> {
  if (startCpu === undefined) throw profileFailed('the plugin', noProfiler)
  const handle = startCpu()
  try {
    await wait(durationMs, undefined, { signal })
  } catch (error) {
    handle.stop()
    throw error
  }
  return Buffer.from(handle.stop())
}
