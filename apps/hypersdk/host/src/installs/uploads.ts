import { createHash, randomUUID } from 'node:crypto'
import { mkdir, open, readdir, rename, rm, stat } from 'node:fs/promises'
import { join } from 'node:path'
import type { KeptUpload } from '@backplane/server'
import type { Manifest } from '@backplane/sdk'
import { sourceErrors } from '@backplane/sources'
import type { FetchedPackage, Fetcher } from '@backplane/sources/install'

/** How much is kept of what was sent and not installed. */
export interface UploadLimits {
  /** Default a day. */
  readonly keepMs: number
  /** Archives; the oldest go for new ones. Default 32. */
  readonly most: number
}

/** Reads what was sent, and what it says of itself. */
export interface UploadReading {
  /** Of archives. */
  readonly fetcher: Fetcher
  /** Throws what is wrong with it. */
  readonly inspect: (fetched: FetchedPackage, place: string, signal: AbortSignal) => Promise<Manifest>
}

const incoming = '.incoming-'

/** Archives that were sent to the daemon, each a file named by its SHA-256 in a directory of the daemon's own. */
export class Uploads {
  readonly directory: string
  readonly #limits: UploadLimits

  private constructor(directory: string, limits: UploadLimits) {
    this.directory = directory
    this.#limits = limits
  }

  /** Makes the directory, and removes what was being sent when a daemon was killed. */
  static async open(directory: string, limits: Partial<UploadLimits> = {}): Promise<Uploads> {
    await mkdir(directory, { recursive: true, mode: 0o700 })
    for (const name of await readdir(directory)) if (name.startsWith(incoming)) await rm(join(directory, name))
    return new Uploads(directory, { keepMs: 24 * 3_600_000, most: 32, ...limits })
  }

  /**
   * Writes an archive beside the others, reads it whole and keeps it when it is in order; else, and when the sender leaves, nothing
   * of it is left. Errors: those of archives and manifests.
   */
  async keep(bytes: AsyncIterable<Uint8Array>, { fetcher, inspect }: UploadReading, signal: AbortSignal): Promise<KeptUpload> {
    const file = join(this.directory, `${incoming}${randomUUID()}`)
    try {
      const { digest, sizeBytes } = await write(file, bytes, signal)
      const [found] = await fetcher.versions(`archive:${file}`, { signal })
      if (found === undefined)
        throw sourceErrors.error('INSTALL_MANIFEST', { place: 'the archive', problem: 'plugin.json has no version' })
      const { id, version } = await inspect(await fetcher.fetch(found.place, { signal }), 'the archive', signal)
      const kept = join(this.directory, `${digest}.archive`)
      await rename(file, kept)
      return { reference: `archive:${kept}`, id, version, sizeBytes }
    } finally {
      await rm(file, { force: true })
    }
  }

  /** Removes what is too old or too many, but for the paths in `named`; answers how many. */
  async collect(named: ReadonlySet<string>): Promise<number> {
    const names = (await readdir(this.directory)).filter((name) => !name.startsWith(incoming))
    const paths = names.map((name) => join(this.directory, name)).filter((path) => !named.has(path))
    const looks = await Promise.all(paths.map(lookedAt))
    const kept = looks.flat().sort((one, other) => other.atMs - one.atMs)
    const { keepMs, most } = this.#limits
    const gone = kept.filter(({ atMs }, at) => at >= most || Date.now() - atMs >= keepMs)
    await Promise.all(gone.map(({ path }) => rm(path, { force: true })))
    return gone.length
  }
}

/** Nothing when somebody else who tidied up has removed it. */
async function lookedAt(path: string): Promise<readonly { readonly path: string; readonly atMs: number }[]> {
  const stats = await stat(path).catch(() => undefined)
  return stats === undefined ? [] : [{ path, atMs: stats.mtimeMs }]
}

interface Written {
  /** SHA-256, hexadecimal. */
  readonly digest: string
  readonly sizeBytes: number
}

async function write(path: string, bytes: AsyncIterable<Uint8Array>, signal: AbortSignal): Promise<Written> {
  await using file = await open(path, 'wx', 0o600)
  const sum = createHash('sha256')
  let sizeBytes = 0
  for await (const piece of bytes) {
    signal.throwIfAborted()
    sum.update(piece)
    sizeBytes += piece.length
    await file.writeFile(piece)
  }
  await file.sync()
  return { digest: sum.digest('hex'), sizeBytes }
}
