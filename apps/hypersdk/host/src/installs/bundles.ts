import { createReadStream } from 'node:fs'
import { mkdir, open, readdir, rename, rm, stat } from 'node:fs/promises'
import { hash, randomUUID } from 'node:crypto'
import { join } from 'node:path'
import { sourceErrors } from '@backplane/sources'
import { openBundle, type Bundle } from '@backplane/sources/install'
import { checkedPath } from './only-below.ts'

const prefix = 'bundle:'

/** Bundles that the daemon made, of which the last is kept in a directory of its own. */
export class Bundles {
  readonly #directory: string

  constructor(directory: string) {
    this.#directory = directory
  }

  /** Keeps one in the place of the one before; answers its digest. */
  async keep(bytes: Uint8Array): Promise<string> {
    const digest = hash('sha256', bytes)
    const aside = join(this.#directory, `.incoming-${randomUUID()}`)
    await mkdir(this.#directory, { recursive: true, mode: 0o700 })
    const before = await readdir(this.#directory)
    try {
      await using file = await open(aside, 'wx', 0o600)
      await file.writeFile(bytes)
      await file.sync()
      await rename(aside, this.#pathOf(digest))
    } finally {
      await rm(aside, { force: true })
    }
    const others = before.filter((name) => name !== `${digest}.bundle`)
    await Promise.all(others.map((name) => rm(join(this.#directory, name), { force: true })))
    return `sha256:${digest}`
  }

  /** Undefined for what is not kept. */
  async read(digest: string): Promise<{ readonly sizeBytes: number; readonly bytes: AsyncIterable<Uint8Array> } | undefined> {
    const [, digits] = /^sha256:([0-9a-f]{64})$/.exec(digest) ?? []
    if (digits === undefined) return undefined
    const path = this.#pathOf(digits)
    const stats = await stat(path).catch(() => undefined)
    return stats === undefined ? undefined : { sizeBytes: stats.size, bytes: createReadStream(path) }
  }

  #pathOf(digits: string): string {
    return join(this.#directory, `${digits}.bundle`)
  }
}

/** The bundle that changes are about, which is then all of them; undefined when they are about none. Errors: `BUNDLE_ALONE`. */
export function bundleAmong(changes: readonly { readonly kind: string; readonly reference?: string }[]): string | undefined {
  const reference = changes.find((one) => one.reference?.startsWith(prefix) === true)?.reference
  if (reference !== undefined && changes.length > 1) throw sourceErrors.error('BUNDLE_ALONE', { reference })
  return reference
}

/**
 * Reads a bundle of this machine, only from below these directories. Errors: `INSTALL_PATH_REFUSED`, `BUNDLE_INVALID`,
 * `BUNDLE_INCOMPLETE`.
 */
export async function bundleAt(reference: string, directories: readonly string[], signal: AbortSignal): Promise<Bundle> {
  const path = await checkedPath(reference.slice(reference.startsWith(prefix) ? prefix.length : 0), directories)
  return openBundle(path, { place: `${prefix}${path}`, signal })
}
