import { mkdir, mkdtemp, readdir } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { dirname, join, resolve } from 'node:path'
import { removeDirectory } from './remove-directory.ts'

/**
 * Where plugins may keep and hand over files: `plugins/<publisher>/<name>/{data,data-<slot>,exchange/<generation>}`; a slot of
 * its own is what another `stateVersion` has.
 */
export class PluginDirectories implements AsyncDisposable {
  readonly #given: string | undefined
  #root: Promise<string> | undefined
  readonly #cleaned = new Set<string>()

  /** Without a directory, a temporary one is made at the first need and removed on dispose. */
  constructor(dataDirectory: string | undefined) {
    this.#given = dataDirectory
  }

  async locate(
    plugin: string,
    { generation, slot }: { readonly generation: number; readonly slot: string },
  ): Promise<{ readonly data: string; readonly exchange: string }> {
    const own = join(await this.#path(), 'plugins', plugin)
    return { data: await this.data(plugin, slot), exchange: join(own, 'exchange', String(generation)) }
  }

  /** The data directory of one slot of a plugin's state. */
  async data(plugin: string, slot: string): Promise<string> {
    return join(await this.#path(), 'plugins', plugin, slot === '' ? 'data' : `data-${slot}`)
  }

  /** Whether a plugin has kept any files in its first data directory. */
  async hasData(plugin: string): Promise<boolean> {
    if (this.#root === undefined && this.#given === undefined) return false
    const names = await readdir(await this.data(plugin, '')).catch(() => [])
    return names.length > 0
  }

  /** Removes the data directory of one slot. */
  async removeData(plugin: string, slot: string): Promise<void> {
    if (this.#root === undefined && this.#given === undefined) return
    await removeDirectory(await this.data(plugin, slot))
  }

  /** Makes the directories of one generation; what an earlier process left for hand-over is removed first. */
  async create(plugin: string, { data, exchange }: { readonly data: string; readonly exchange: string }): Promise<void> {
    if (!this.#cleaned.has(plugin)) {
      this.#cleaned.add(plugin)
      await removeDirectory(dirname(exchange))
    }
    await mkdir(data, { recursive: true, mode: 0o700 })
    await mkdir(exchange, { recursive: true, mode: 0o700 })
  }

  async removeExchange(exchange: string): Promise<void> {
    await removeDirectory(exchange)
  }

  /** Removes everything of a plugin. */
  async forget(plugin: string): Promise<void> {
    if (this.#root === undefined && this.#given === undefined) return
    await removeDirectory(join(await this.#path(), 'plugins', plugin))
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#given === undefined && this.#root !== undefined) await removeDirectory(await this.#root)
  }

  #path(): Promise<string> {
    this.#root ??= this.#given === undefined ? mkdtemp(join(tmpdir(), 'backplane-')) : Promise.resolve(resolve(this.#given))
    return this.#root
  }
}
