import { mkdir, mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { dirname, join, resolve } from 'node:path'

/** Where plugins may keep and hand over files: `plugins/<publisher>/<name>/{data,exchange/<generation>}`. */
export class PluginDirectories implements AsyncDisposable {
  readonly #given: string | undefined
  #root: Promise<string> | undefined
  readonly #cleaned = new Set<string>()

  /** Without a directory, a temporary one is made at the first need and removed on dispose. */
  constructor(dataDirectory: string | undefined) {
    this.#given = dataDirectory
  }

  async locate(plugin: string, generation: number): Promise<{ readonly data: string; readonly exchange: string }> {
    const own = join(await this.#path(), 'plugins', plugin)
    return { data: join(own, 'data'), exchange: join(own, 'exchange', String(generation)) }
  }

  /** Makes the directories of one generation; what an earlier process left for hand-over is removed first. */
  async create(plugin: string, { data, exchange }: { readonly data: string; readonly exchange: string }): Promise<void> {
    if (!this.#cleaned.has(plugin)) {
      this.#cleaned.add(plugin)
      await rm(dirname(exchange), { recursive: true, force: true })
    }
    await mkdir(data, { recursive: true, mode: 0o700 })
    await mkdir(exchange, { recursive: true, mode: 0o700 })
  }

  async removeExchange(exchange: string): Promise<void> {
    await rm(exchange, { recursive: true, force: true })
  }

  /** Removes everything of a plugin. */
  async forget(plugin: string): Promise<void> {
    if (this.#root === undefined && this.#given === undefined) return
    await rm(join(await this.#path(), 'plugins', plugin), { recursive: true, force: true })
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#given === undefined && this.#root !== undefined) await rm(await this.#root, { recursive: true, force: true })
  }

  #path(): Promise<string> {
    this.#root ??= this.#given === undefined ? mkdtemp(join(tmpdir(), 'backplane-')) : Promise.resolve(resolve(this.#given))
    return this.#root
  }
}
