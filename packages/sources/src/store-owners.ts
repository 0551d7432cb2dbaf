import { lstat, mkdir, readdir, rm, utimes, writeFile } from 'node:fs/promises'
import { join } from 'node:path'

/** Folder of a store: `.owners/<plugin id>/<entry>`, empty files whose times say when a plugin's entry was last used. */
const folderName = '.owners'

/** Which entries of a store are which plugin's, so that the newest of each can be kept. */
export class StoreOwners {
  readonly #directory: string

  constructor(directory: string) {
    this.#directory = join(directory, folderName)
  }

  /** The entry is the plugin's newest now. */
  async claim(plugin: string, entry: string): Promise<void> {
    const folder = join(this.#directory, encodeURIComponent(plugin))
    const file = join(folder, entry)
    await mkdir(folder, { recursive: true, mode: 0o700 })
    await writeFile(file, '', { mode: 0o600 })
    const now = new Date()
    await utimes(file, now, now)
  }

  /** Forgets a plugin's claim on an entry. */
  async drop(plugin: string, entry: string): Promise<void> {
    await rm(join(this.#directory, encodeURIComponent(plugin), entry), { force: true })
  }

  async plugins(): Promise<readonly string[]> {
    return (await namesIn(this.#directory)).map((name) => decodeURIComponent(name))
  }

  /** A plugin's entries, newest first. */
  async entries(plugin: string): Promise<readonly string[]> {
    const folder = join(this.#directory, encodeURIComponent(plugin))
    const files = await Promise.all(
      (await namesIn(folder)).map(async (name) => ({ name, usedMs: (await lstat(join(folder, name))).mtimeMs })),
    )
    return files.sort((one, other) => other.usedMs - one.usedMs).map(({ name }) => name)
  }
}

async function namesIn(folder: string): Promise<readonly string[]> {
  return readdir(folder).catch(() => [])
}
