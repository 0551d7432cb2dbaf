import { watch, type FSWatcher } from 'node:fs'
import { basename } from 'node:path'
import type { Wake } from './wait-on-clock.ts'

/** Folders beyond this many are only looked at from time to time: watches are a resource of the whole machine. */
const maxFolders = 8_192

/**
 * Tells that something happened in one of the folders followed, not what. Only a hint: watches get lost, cannot be had
 * on every file system, and say nothing of folders that do not exist; so whoever waits also looks from time to time.
 */
export class FolderHints implements Wake, Disposable {
  readonly #watchers = new Map<string, FSWatcher>()
  #isHinted = false
  #wake: (() => void) | undefined

  /** Follows exactly these folders from now on. */
  follow(folders: readonly string[]): void {
    const wanted = new Set(folders.slice(0, maxFolders))
    for (const path of this.#watchers.keys()) if (!wanted.has(path)) this.#drop(path)
    for (const path of wanted) if (!this.#watchers.has(path)) this.#add(path)
  }

  /** At once when something happened since the last wait. */
  once(wake: () => void): Disposable {
    if (this.#isHinted) wake()
    else this.#wake = wake
    this.#isHinted = false
    return { [Symbol.dispose]: () => (this.#wake = undefined) }
  }

  [Symbol.dispose](): void {
    for (const path of this.#watchers.keys()) this.#drop(path)
  }

  #add(path: string): void {
    try {
      const watcher = watch(path, { persistent: false }, (event, name) => {
        // A folder's own name means that the folder itself was moved or removed, and this watch with it.
        if (event === 'rename' && name === basename(path)) this.#drop(path)
        if (name?.startsWith('.') !== true) this.#hint()
      })
      watcher.on('error', () => this.#drop(path))
      this.#watchers.set(path, watcher)
    } catch {
      // Gone again, or no watch to be had: the regular look finds what happens there.
    }
  }

  #drop(path: string): void {
    this.#watchers.get(path)?.close()
    this.#watchers.delete(path)
  }

  #hint(): void {
    const wake = this.#wake
    this.#wake = undefined
    if (wake === undefined) this.#isHinted = true
    else wake()
  }
}
