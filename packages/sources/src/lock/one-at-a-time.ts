import { closeSync, openSync } from 'node:fs'
import { mkdir } from 'node:fs/promises'
import { dirname, resolve } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { setTimeout as wait } from 'node:timers/promises'
import { sourceErrors } from '../errors.ts'
import { messageOf } from '../message-of.ts'

/** Between attempts, ms. */
const pollMs = 50

/** Collected as garbage, a database would let go of its lock. */
const held = new Set<DatabaseSync>()

/*
 * `storage` has the like for its secrets. Neither package may import the other, and no third one would be about both: here is
 * waited, there is refused at once, each with errors of its own.
 */

/**
 * Runs `work` while no other process, and nobody else in this one, works on the lock at `path`. The right is the system's lock
 * on a file beside it, so it ends with its holder, however that ends. Errors: `LOCK_BUSY`, `LOCK_FAILED`.
 */
export async function oneAtATime<T>(path: string, work: () => Promise<T>, signal: AbortSignal, waitMs = 30_000): Promise<T> {
  const file = `${resolve(path)}.mutex`
  await mkdir(dirname(file), { recursive: true })
  const untilMs = performance.now() + waitMs
  for (;;) {
    signal.throwIfAborted()
    const mutex = take(path, file)
    if (mutex !== undefined) {
      held.add(mutex)
      try {
        return await work()
      } finally {
        held.delete(mutex)
        mutex.close()
      }
    }
    if (performance.now() > untilMs) throw sourceErrors.error('LOCK_BUSY', { path, seconds: Math.round(waitMs / 1_000) })
    await wait(pollMs, undefined, { signal })
  }
}

function take(path: string, file: string): DatabaseSync | undefined {
  let mutex: DatabaseSync | undefined
  try {
    makePrivate(file)
    mutex = new DatabaseSync(file, { timeout: 0 })
    mutex.exec('BEGIN EXCLUSIVE')
    return mutex
  } catch (error) {
    mutex?.close()
    const reason = messageOf(error)
    if (/locked|busy/i.test(reason)) return undefined
    throw sourceErrors.error('LOCK_FAILED', { path, reason: `${file}: ${reason}` }, { cause: error })
  }
}

/**
 * Whoever may read it may hold the lock, so only its user may. One that is there is not opened, and none is closed later: to close it
 * lets go of the lock, whoever in this process took it meanwhile.
 */
function makePrivate(file: string): void {
  try {
    closeSync(openSync(file, 'wx', 0o600))
  } catch (error) {
    if (Reflect.get(Object(error), 'code') !== 'EEXIST') throw error
  }
}
