import type { ProfileOptions } from '@backplane/kernel'
import { runtimeErrors } from '../errors.ts'
import { profileFailed } from './profile-failed.ts'

/** What is taken of a guest that is asked for its profile: it may make up anything, and as slowly as it likes. */
export interface ProfileLimits {
  /** Most it may hold, bytes: a heap snapshot is one to two times the heap. Default 2 GiB. */
  readonly bytes: number
  /** Longest until its first bytes, beyond the time the processor is watched, ms: a heap stands still so long. Default 120,000. */
  readonly firstMs: number
  /** From its first bytes on, how much must come per second of waiting for it, bytes. Default 1 MiB. */
  readonly bytesPerSecond: number
  /** Of that waiting, how much does not count, ms. Default 10,000. */
  readonly patienceMs: number
  /** Longest for all of it, its reader's time included, ms. Default 900,000. */
  readonly overallMs: number
}

/** What holds where nothing else is said. */
export const defaultProfileLimits: ProfileLimits = {
  bytes: 2 * 1024 ** 3,
  firstMs: 120_000,
  bytesPerSecond: 1024 ** 2,
  patienceMs: 10_000,
  overallMs: 900_000,
}

/** What {@link boundedProfile} works on. */
export interface ProfileSource {
  readonly plugin: string
  readonly options: ProfileOptions
  /** Asks the guest; gives up by this signal. */
  readonly ask: (signal: AbortSignal) => AsyncIterable<unknown>
  readonly limits?: Partial<ProfileLimits> | undefined
}

/**
 * Passes on what a guest says is a profile, as long as it is bytes, no more than the limit, and comes in time.
 * Errors: `RUNTIME_PROFILE_FAILED`, `RUNTIME_PROFILE_SLOW`, those of the guest; aborting is the signal's.
 */
export async function* boundedProfile({ plugin, options, ask, limits: given }: ProfileSource): AsyncGenerator<Uint8Array> {
  const limits = { ...defaultProfileLimits, ...given }
  const slow = new AbortController()
  const tooSlow = (reason: string): void => {
    slow.abort(runtimeErrors.error('RUNTIME_PROFILE_SLOW', { plugin, reason }, { plugin }))
  }
  const overall = setTimeout(tooSlow, options.durationMs + limits.overallMs, `it took longer than ${limits.overallMs} ms`)
  const items = ask(AbortSignal.any([options.signal, slow.signal]))[Symbol.asyncIterator]()
  let bytes = 0
  let waitedMs = 0
  /** Waits for the guest, but no longer than what has come allows. */
  const next = async (): Promise<IteratorResult<unknown>> => {
    const allowedMs =
      bytes === 0 ? options.durationMs + limits.firstMs : limits.patienceMs + (1_000 * bytes) / limits.bytesPerSecond
    const reason =
      bytes === 0 ? `nothing came within ${limits.firstMs} ms` : `less than ${limits.bytesPerSecond} bytes a second came`
    const sinceMs = performance.now()
    const timer = setTimeout(tooSlow, Math.max(0, allowedMs - waitedMs), reason)
    try {
      return await items.next()
    } finally {
      clearTimeout(timer)
      if (bytes > 0) waitedMs += performance.now() - sinceMs
    }
  }
  try {
    for (let item = await next(); item.done !== true; item = await next()) {
      slow.signal.throwIfAborted()
      if (!(item.value instanceof Uint8Array))
        throw profileFailed(plugin, `it answered with ${typeof item.value} instead of bytes`)
      bytes += item.value.length
      if (bytes > limits.bytes) throw profileFailed(plugin, `it answered with more than ${limits.bytes} bytes`)
      yield item.value
    }
  } catch (error) {
    throw slow.signal.aborted ? slow.signal.reason : error
  } finally {
    clearTimeout(overall)
    slow.abort(new DOMException('the profile is over', 'AbortError'))
    await items.return?.()
  }
}
