import { resolve } from 'node:path'
import type { DatabaseSync, StatementSync } from 'node:sqlite'
import type { Store } from '@backplane/kernel'
import { storageErrors } from './errors.ts'
import { openDatabase, type DatabaseOptions } from './open-database.ts'
import { placeGuard } from './place-guard.ts'
import { sqliteFailure } from './sqlite-failure.ts'
import { storeFormat } from './store-format.ts'

/**
 * Opens (or makes, mode 0600) a durable {@link Store} in one SQLite file, or in `:memory:`. A write is on the disk when
 * its promise settles (write-ahead log, `synchronous=FULL`); writes of one turn of the event loop share one commit.
 * Errors: `STORE_UNUSABLE`, `STORE_CORRUPT`, `STORE_TOO_NEW`, `STORE_BUSY` at once; `STORE_FULL`, `STORE_GONE`, `STORE_CLOSED`,
 * `STATE_QUOTA_EXCEEDED` from its methods.
 */
export function sqliteStore(path: string, options: DatabaseOptions = {}): Store {
  const file = path === ':memory:' ? path : resolve(path)
  const database = openDatabase(file, storeFormat, options)
  try {
    return new SqliteStore(file, database)
  } catch (error) {
    database.close()
    throw sqliteFailure(file, error)
  }
}

interface QueuedWrite {
  readonly run: () => void
  readonly done: PromiseWithResolvers<void>
}

class SqliteStore implements Store {
  readonly #path: string
  readonly #database: DatabaseSync
  readonly #statements: Statements
  readonly #inPlace: () => void
  #queue: QueuedWrite[] = []

  constructor(path: string, database: DatabaseSync) {
    this.#path = path
    this.#database = database
    this.#statements = prepareStatements(database)
    this.#inPlace = placeGuard(path)
  }

  async get(namespace: string, key: string): Promise<string | undefined> {
    const row = this.#read(() => this.#statements.get.get(namespace, key))
    return row === undefined ? undefined : String(row['value'])
  }

  set(namespace: string, key: string, value: string, quotaBytes?: number): Promise<void> {
    return this.#write(() => {
      if (quotaBytes !== undefined) this.#refuseOverQuota(namespace, key, value, quotaBytes)
      this.#statements.set.run(namespace, key, value)
    })
  }

  delete(namespace: string, key: string): Promise<void> {
    return this.#write(() => this.#statements.delete.run(namespace, key))
  }

  async keys(namespace: string, prefix: string): Promise<readonly string[]> {
    return this.#read(() => {
      const keys: string[] = []
      for (const row of this.#statements.keys.iterate(namespace, prefix)) {
        const key = String(row['key'])
        if (!key.startsWith(prefix)) break
        keys.push(key)
      }
      return keys
    })
  }

  clear(namespace: string): Promise<void> {
    return this.#write(() => {
      this.#statements.clear.run(namespace)
      this.#statements.clearSize.run(namespace)
    })
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (!this.#database.isOpen) return
    this.#commit()
    this.#database.close()
  }

  #read<T>(run: () => T): T {
    this.#refuseClosed()
    this.#commit()
    try {
      return run()
    } catch (error) {
      throw sqliteFailure(this.#path, error)
    }
  }

  /** Writes wait for the end of this turn of the event loop, or for the next read, and are then committed together. */
  async #write(run: () => void): Promise<void> {
    this.#refuseClosed()
    const done = Promise.withResolvers<void>()
    if (this.#queue.length === 0) setImmediate(() => this.#commit())
    this.#queue.push({ run, done })
    await done.promise
  }

  #commit(): void {
    const writes = this.#queue
    if (writes.length === 0) return
    this.#queue = []
    const refused = new Map<QueuedWrite, unknown>()
    try {
      this.#inPlace()
      this.#database.exec('BEGIN IMMEDIATE')
      for (const write of writes) this.#attempt(write, refused)
      this.#database.exec('COMMIT')
    } catch (error) {
      if (this.#database.isTransaction) this.#database.exec('ROLLBACK')
      const failure = sqliteFailure(this.#path, error)
      for (const write of writes) refused.set(write, failure)
    }
    for (const write of writes) {
      if (refused.has(write)) write.done.reject(refused.get(write))
      else write.done.resolve()
    }
  }

  /** A quota refuses one write before it changes anything; any other failure is the whole commit's. */
  #attempt(write: QueuedWrite, refused: Map<QueuedWrite, unknown>): void {
    try {
      write.run()
    } catch (error) {
      if (sqliteFailure(this.#path, error).code !== 'STATE_QUOTA_EXCEEDED') throw error
      refused.set(write, error)
    }
  }

  #refuseOverQuota(namespace: string, key: string, value: string, quotaBytes: number): void {
    const { held, old } = this.#statements.size.get(namespace, namespace, key) ?? {}
    const kept = old === null ? Number(held) : Number(held) - Number(old)
    const bytes = kept + Buffer.byteLength(key) + Buffer.byteLength(value)
    if (bytes > quotaBytes) throw storageErrors.error('STATE_QUOTA_EXCEEDED', { namespace, bytes, quotaBytes })
  }

  #refuseClosed(): void {
    if (!this.#database.isOpen) throw storageErrors.error('STORE_CLOSED', { path: this.#path })
  }
}

type Statements = ReturnType<typeof prepareStatements>

function prepareStatements(database: DatabaseSync): Record<keyof typeof queries, StatementSync> {
  const prepare = (name: keyof typeof queries): StatementSync => database.prepare(queries[name])
  return {
    get: prepare('get'),
    set: prepare('set'),
    delete: prepare('delete'),
    keys: prepare('keys'),
    clear: prepare('clear'),
    clearSize: prepare('clearSize'),
    size: prepare('size'),
  }
}

const queries = {
  get: 'SELECT value FROM entries WHERE namespace = ? AND key = ?',
  set: 'INSERT INTO entries VALUES (?, ?, ?) ON CONFLICT DO UPDATE SET value = excluded.value',
  delete: 'DELETE FROM entries WHERE namespace = ? AND key = ?',
  keys: 'SELECT key FROM entries WHERE namespace = ? AND key >= ? ORDER BY key',
  clear: 'DELETE FROM entries WHERE namespace = ?',
  clearSize: 'DELETE FROM sizes WHERE namespace = ?',
  size: `SELECT coalesce((SELECT bytes FROM sizes WHERE namespace = ?), 0) AS held,
    (SELECT octet_length(key) + octet_length(value) FROM entries WHERE namespace = ? AND key = ?) AS old`,
}
