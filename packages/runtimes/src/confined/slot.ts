import { randomBytes } from 'node:crypto'
import { mkdir, mkdtemp, rm, symlink } from 'node:fs/promises'
import { basename, dirname, join } from 'node:path'
import type { Directories } from '@backplane/sdk'

/**
 * A place in which a child that was started before its plugin was known finds that plugin's directories: through links by
 * names that were granted when it started. Two things keep the links from leading anywhere else, because the permission
 * model matches a path as it is written while the system follows it through the link:
 * - the names are random, so that `link/../name` is nowhere;
 * - the plugin may not write the links themselves, only below them: a link that it could move deeper into its own
 *   directory would, followed by enough `..`, lead to every file there is. So a link stands for the directory above.
 */
export interface Slot extends AsyncDisposable {
  /** Also the child's working directory. */
  readonly directory: string
  /** Where the plugin's directories will be. */
  readonly paths: Directories
  /** Puts the links; once. The directories must be real paths, and the data directory must have the slot's name for it. */
  readonly link: (directories: Directories) => Promise<void>
}

/** A part of the exchange directory that the slot makes, to have a name known in advance. */
const handOver = 'files'

/** Makes an empty slot under `parent` for data directories called `dataName`. Dispose it to remove its links. */
export async function makeSlot(parent: string, dataName: string): Promise<Slot> {
  const directory = await mkdtemp(join(parent, 'slot-'))
  const link = (): string => join(directory, randomBytes(16).toString('hex'))
  const [code, aboveData, exchange] = [link(), link(), link()]
  return {
    directory,
    paths: { code, data: join(aboveData, dataName), exchange: join(exchange, handOver) },
    link: async (real) => {
      if (basename(real.data) !== dataName) throw new TypeError(`${real.data} is not called ${dataName}`)
      await Promise.all([
        mkdir(join(real.exchange, handOver), { recursive: true, mode: 0o700 }),
        symlink(real.code, code),
        symlink(dirname(real.data), aboveData),
        symlink(real.exchange, exchange),
      ])
    },
    [Symbol.asyncDispose]: () => rm(directory, { recursive: true, force: true }),
  }
}
