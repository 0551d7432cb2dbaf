import { lstat, mkdir, open, readdir, readFile, rename, rm, rmdir, utimes } from 'node:fs/promises'
import { join } from 'node:path'
import { parseStrictJson } from '@backplane/sdk/strict-json'
import { stagingName } from './staging-name.ts'
import { syncFolder } from './write-tree.ts'

/**
 * Folder of a store: `.owners/<plugin id>/<entry>`. The time of a file says when the plugin's entry was last used, its text
 * what was known of the package beside its bytes.
 */
const folderName = '.owners'

/** Nesting of facts: of a manifest and of attestations, with what is around them. */
const depthLimit = 128

/** Which entries of a store are which plugin's, so that the newest of each can be kept. */
export class StoreOwners {
  readonly #directory: string

  constructor(directory: string) {
    this.#directory = join(directory, folderName)
  }

  /** The entry is the plugin's newest now; `facts` are kept with it, as JSON, on the disk. A kill leaves the old or the new. */
  async claim(plugin: string, entry: string, facts: unknown): Promise<void> {
    // another host may find the folder empty and remove it before there is anything in it
    await this.#claim(plugin, entry, facts).catch(() => this.#claim(plugin, entry, facts))
  }

  async #claim(plugin: string, entry: string, facts: unknown): Promise<void> {
    const folder = join(this.#directory, encodeURIComponent(plugin))
    const file = join(folder, entry)
    const text = JSON.stringify(facts)
    await mkdir(folder, { recursive: true, mode: 0o700 })
    if ((await readFile(file, 'utf8').catch(() => undefined)) !== text) {
      using unique = stagingName()
      const staging = join(folder, unique.name)
      await writeDurably(staging, text)
      await rename(staging, file)
      await syncFolder(folder)
    }
    const now = new Date()
    await utimes(file, now, now)
  }

  /** Whose an entry is, and the facts kept with it; undefined when it is nobody's. */
  async find(entry: string): Promise<{ readonly plugin: string; readonly facts: unknown } | undefined> {
    for (const plugin of await this.plugins()) {
      const facts = await this.facts(plugin, entry)
      if (facts !== undefined) return { plugin, facts }
    }
    return undefined
  }

  /** Kept with a plugin's entry; undefined when it is not the plugin's, or what is kept cannot be read. */
  async facts(plugin: string, entry: string): Promise<unknown> {
    const text = await readFile(join(this.#directory, encodeURIComponent(plugin), entry), 'utf8').catch(() => '')
    const parsed = parseStrictJson(text, depthLimit)
    return parsed.kind === 'value' ? parsed.value : undefined
  }

  /** Forgets a plugin's claim on an entry. */
  async drop(plugin: string, entry: string): Promise<void> {
    await rm(join(this.#directory, encodeURIComponent(plugin), entry), { force: true })
  }

  /** Forgets a plugin that has no entries. */
  async leave(plugin: string): Promise<void> {
    await rmdir(join(this.#directory, encodeURIComponent(plugin))).catch(() => undefined)
  }

  async plugins(): Promise<readonly string[]> {
    return (await namesIn(this.#directory)).filter(isEncoded).map((name) => decodeURIComponent(name))
  }

  /** When an entry of a plugin was last used, ms since the epoch; 0 for never. */
  async usedMs(plugin: string): Promise<number> {
    const folder = join(this.#directory, encodeURIComponent(plugin))
    const [newest] = await this.entries(plugin)
    return newest === undefined ? 0 : (await lstat(join(folder, newest))).mtimeMs
  }

  /** A plugin's entries, newest first. */
  async entries(plugin: string): Promise<readonly string[]> {
    const folder = join(this.#directory, encodeURIComponent(plugin))
    const files = await Promise.all(
      (await namesIn(folder)).filter(isEntry).map(async (name) => ({ name, usedMs: (await lstat(join(folder, name))).mtimeMs })),
    )
    return files.sort((one, other) => other.usedMs - one.usedMs).map(({ name }) => name)
  }
}

async function namesIn(folder: string): Promise<readonly string[]> {
  return readdir(folder).catch(() => [])
}

async function writeDurably(path: string, text: string): Promise<void> {
  await using file = await open(path, 'wx', 0o600)
  await file.writeFile(text)
  await file.sync()
}

/** Not what somebody else put there. */
function isEncoded(name: string): boolean {
  try {
    return encodeURIComponent(decodeURIComponent(name)) === name
  } catch {
    return false
  }
}

/** Not what a kill left of a claim being written. */
function isEntry(name: string): boolean {
  return name.startsWith('sha256-')
}
