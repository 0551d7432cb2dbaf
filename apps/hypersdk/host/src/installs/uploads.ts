import { createHash, randomUUID } from 'node:crypto'
import { mkdir, open, readdir, rename, rm, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { acceptManifest } from '@backplane/kernel'
import type { KeptUpload } from '@backplane/server'
import type { Fetcher } from '@backplane/sources/install'

/** How long an archive that was sent and not installed is kept, ms. */
const keepMs = 24 * 3_600_000
const incoming = '.incoming-'

/** Archives that were sent to the daemon, each a file named by its SHA-256 in a directory of the daemon's own. */
export class Uploads {
  readonly directory: string

  private constructor(directory: string) {
    this.directory = directory
  }

  /** Makes the directory, and removes what was being sent when a daemon was killed. */
  static async open(directory: string): Promise<Uploads> {
    await mkdir(directory, { recursive: true, mode: 0o700 })
    for (const name of await readdir(directory)) if (name.startsWith(incoming)) await rm(join(directory, name))
    return new Uploads(directory)
  }

  /**
   * Writes an archive beside the others, reads it whole and keeps it when it is in order; else, and when the sender leaves, nothing
   * of it is left. Errors: those of archives and manifests.
   */
  async keep(bytes: AsyncIterable<Uint8Array>, fetcher: Fetcher, signal: AbortSignal): Promise<KeptUpload> {
    const file = join(this.directory, `${incoming}${randomUUID()}`)
    try {
      const { digest, sizeBytes } = await write(file, bytes, signal)
      const [found] = await fetcher.versions(`archive:${file}`, { signal })
      const { id, version } = acceptManifest(found?.manifest, 'plugin.json of the archive')
      const kept = join(this.directory, `${digest}.archive`)
      await rename(file, kept)
      return { reference: `archive:${kept}`, id, version, sizeBytes }
    } finally {
      await rm(file, { force: true })
    }
  }

  /** Removes those of more than a day ago whose paths are not in `named`; answers how many. */
  async collect(named: ReadonlySet<string>): Promise<number> {
    let removed = 0
    for (const name of await readdir(this.directory)) {
      const path = join(this.directory, name)
      if (name.startsWith(incoming) || named.has(path)) continue
      const { mtimeMs } = await stat(path)
      if (Date.now() - mtimeMs < keepMs) continue
      await rm(path, { force: true })
      removed += 1
    }
    return removed
  }
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
