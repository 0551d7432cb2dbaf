import { mkdir, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { sqliteFailure } from '@backplane/storage'
import { hypersdkErrors } from '../errors.ts'

/**
 * Holds a data directory for one daemon, making the directory (0700) when needed. The lock is SQLite's own on a file of
 * its own, so the system lets go of it however the process ends. Errors: `DAEMON_ALREADY_RUNNING`; `STORE_UNUSABLE` for
 * a directory that cannot be made or written.
 */
export async function lockDataDirectory(directory: string): Promise<Disposable> {
  const ownerFile = join(directory, 'hypervisord.pid')
  const lockFile = join(directory, 'lock.sqlite')
  let database: DatabaseSync | undefined
  try {
    await mkdir(directory, { recursive: true, mode: 0o700 })
    const locked = (database = new DatabaseSync(lockFile, { timeout: 0 }))
    locked.exec('PRAGMA locking_mode = EXCLUSIVE; BEGIN EXCLUSIVE')
    await writeFile(ownerFile, `${process.pid}\n`)
    return {
      [Symbol.dispose]: () => {
        if (locked.isOpen) locked.close()
      },
    }
  } catch (error) {
    database?.close()
    const failure = sqliteFailure(lockFile, error)
    if (failure.code !== 'STORE_BUSY') throw failure
    const owner = (await readFile(ownerFile, 'utf8').catch(() => '')).trim()
    const said = owner === '' ? '' : ` (process ${owner})`
    throw hypersdkErrors.error('DAEMON_ALREADY_RUNNING', { directory, owner: said }, { cause: error })
  }
}
