import { closeSync, openSync } from 'node:fs'
import { mkdir } from 'node:fs/promises'
import { dirname } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { storageErrors } from '../errors.ts'
import { sqliteFailure } from '../sqlite-failure.ts'

/** Collected as garbage, a database would let go of its lock. */
const held = new Set<DatabaseSync>()

// `sources` has the like for its lock file; why twice is said there, in one-at-a-time.ts.

/**
 * Makes a change of a file while nobody else does, in this process or another. The right is the system's lock on a file
 * beside it, so it ends with its holder, however that ends. Errors: `SECRETS_BUSY` at once when somebody does, those of
 * {@link sqliteFailure}.
 */
export async function oneChange<T>(path: string, work: () => Promise<T>): Promise<T> {
  await mkdir(dirname(path), { recursive: true, mode: 0o700 })
  const mutex = take(path)
  held.add(mutex)
  try {
    return await work()
  } finally {
    held.delete(mutex)
    mutex.close()
  }
}

function take(path: string): DatabaseSync {
  const file = `${path}.mutex`
  makePrivate(file)
  let mutex: DatabaseSync | undefined
  try {
    mutex = new DatabaseSync(file, { timeout: 0 })
    mutex.exec('BEGIN EXCLUSIVE')
    return mutex
  } catch (error) {
    mutex?.close()
    const failure = sqliteFailure(file, error)
    throw failure.code === 'STORE_BUSY' ? storageErrors.error('SECRETS_BUSY', { path }, { cause: error }) : failure
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
