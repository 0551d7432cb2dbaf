import type { PointListener, PointUser } from '../kernel.ts'
import type { PointTable } from './point-table.ts'
import type { Log } from '../ports.ts'
import { messageOf } from '../calls/thrown.ts'

/** A user of a point, and what changes whenever another generation of its plugin takes over. */
export interface ListedUser {
  readonly user: PointUser
  readonly epoch: number
}

interface Watch {
  readonly listener: PointListener
  known: Map<string, { readonly user: PointUser; readonly stamp: string }>
}

/** Who watches which point. Changes of one turn of the event loop are told together. */
export class PointWatches {
  readonly #log: Log
  readonly #list: (table: PointTable) => readonly ListedUser[]
  readonly #watches = new Map<PointTable, Set<Watch>>()
  readonly #dirty = new Set<PointTable>()

  constructor(log: Log, list: (table: PointTable) => readonly ListedUser[]) {
    this.#log = log
    this.#list = list
  }

  add(table: PointTable, listener: PointListener): Disposable {
    const watch: Watch = { listener, known: new Map() }
    const watches = this.#watches.get(table) ?? new Set()
    this.#watches.set(table, watches.add(watch))
    this.#tell(table, watch, true)
    return {
      [Symbol.dispose]: () => {
        watches.delete(watch)
        if (watches.size === 0) this.#watches.delete(table)
      },
    }
  }

  /** To be told of everything that may have changed the users of a point. */
  touch(table: PointTable): void {
    if (!this.#watches.has(table)) return
    if (this.#dirty.size === 0) queueMicrotask(() => this.#flush())
    this.#dirty.add(table)
  }

  #flush(): void {
    const dirty = [...this.#dirty]
    this.#dirty.clear()
    for (const table of dirty) {
      for (const watch of this.#watches.get(table) ?? []) {
        try {
          this.#tell(table, watch, false)
        } catch (error) {
          this.#log.write({ level: 'error', message: `what watches ${table.point.id} threw: ${messageOf(error)}` })
        }
      }
    }
  }

  #tell(table: PointTable, watch: Watch, always: boolean): void {
    const listed = this.#list(table)
    const before = watch.known
    const added: PointUser[] = []
    watch.known = new Map()
    for (const { user, epoch } of listed) {
      const key = `${user.plugin} ${user.name}`
      const stamp = `${user.version} ${epoch} ${user.reason ?? ''}`
      watch.known.set(key, { user, stamp })
      if (before.get(key)?.stamp === stamp) before.delete(key)
      else added.push(user)
    }
    const removed = [...before.values()].map(({ user }) => user)
    const users = listed.map(({ user }) => user)
    if (always || added.length > 0 || removed.length > 0) watch.listener(users, { added, removed })
  }
}
