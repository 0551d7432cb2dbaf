import { mkdir, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { hypersdkErrors } from '../errors.ts'

/**
 * Holds a data directory for one daemon, making the directory (0700) when needed. The lock is SQLite's own on a file of
 * its own, so the system lets go of it however the process ends. Errors: `DAEMON_ALREADY_RUNNING`.
 */
export async function lockDataDirectory(directory: string): Promise<Disposable> {
  await mkdir(directory, { recursive: true, mode: 0o700 })
  const ownerFile = join(directory, 'hypervisord.pid')
  const database = new DatabaseSync(join(directory, 'lock.sqlite'), { timeout: 0 })
  try {
    database.exec('PRAGMA locking_mode = EXCLUSIVE; BEGIN EXCLUSIVE')
  } catch (error) {
    database.close()
    const owner = (await readFile(ownerFile, 'utf8').catch(() => '')).trim()
    const said = owner === '' ? '' : ` (process ${owner})`
    throw hypersdkErrors.error('DAEMON_ALREADY_RUNNING', { directory, owner: said }, { cause: error })
  }
  await writeFile(ownerFile, `${process.pid}\n`)
  return {
    [Symbol.dispose]: () => {
      if (database.isOpen) database.close()
    },
  }
}
