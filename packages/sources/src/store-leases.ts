import { mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { threadId } from 'node:worker_threads'

const pattern = /^\.lease-(\d+)-(\d*)-\d+$/
const startedAt = startOf(process.pid) ?? ''
const own = `.lease-${process.pid}-${startedAt}-${threadId}`

/** How often this thread uses which entry, by absolute path: sources of one process may share a store. */
const uses = new Map<string, number>()

/**
 * Says, for other processes to see, which entries of a store are in use: a folder per thread, named by process and the
 * time it started, with an empty file per entry. However a process ends, its leases end with it. Processes that share a
 * store must see each other's numbers, so they belong to one PID namespace. Synchronous, so that looking at the leases and
 * moving an entry happen in one step of this process.
 */
export class StoreLeases {
  readonly #directory: string

  constructor(directory: string) {
    this.#directory = directory
  }

  /** Uses an entry until disposed; to be taken before the entry is looked at. */
  take(name: string): Disposable {
    const key = join(this.#directory, name)
    const file = join(this.#directory, own, name)
    const count = uses.get(key) ?? 0
    if (count === 0) {
      mkdirSync(join(this.#directory, own), { recursive: true, mode: 0o700 })
      writeFileSync(file, '')
    }
    uses.set(key, count + 1)
    let isHeld = true
    return {
      [Symbol.dispose]: () => {
        if (!isHeld) return
        isHeld = false
        const left = (uses.get(key) ?? 1) - 1
        if (left > 0) return void uses.set(key, left)
        uses.delete(key)
        rmSync(file, { force: true })
      },
    }
  }

  /** Whether anybody uses an entry. */
  covers(name: string): boolean {
    return this.#folders().some((folder) => isAlive(folder) && this.#namesIn(folder).includes(name))
  }

  /** Removes the leases of processes that are gone. */
  sweep(): void {
    for (const folder of this.#folders()) {
      if (!isAlive(folder)) rmSync(join(this.#directory, folder), { recursive: true, force: true })
    }
  }

  #folders(): readonly string[] {
    return readdirSync(this.#directory).filter((name) => pattern.test(name))
  }

  #namesIn(folder: string): readonly string[] {
    try {
      return readdirSync(join(this.#directory, folder))
    } catch {
      return []
    }
  }
}

/** A number may be another process's by now: the time it started tells. Where the system does not say it, the number counts. */
function isAlive(folder: string): boolean {
  const [, pid = '', started = ''] = pattern.exec(folder) ?? []
  if (Number(pid) === process.pid) return started === startedAt
  const now = startOf(Number(pid))
  if (now === undefined) return startedAt === '' && isRunning(Number(pid))
  return now === started
}

/** When a process started, in the system's ticks; undefined when there is none, or the system does not say. */
function startOf(pid: number): string | undefined {
  try {
    const text = readFileSync(`/proc/${pid}/stat`, 'latin1')
    const fields = text.slice(text.lastIndexOf(')') + 2).split(' ')
    return fields[0] === 'Z' ? undefined : fields[19]
  } catch {
    return undefined
  }
}

function isRunning(pid: number): boolean {
  try {
    return process.kill(pid, 0)
  } catch (error) {
    return error instanceof Error && Reflect.get(error, 'code') === 'EPERM'
  }
}
