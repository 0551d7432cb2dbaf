import { randomBytes } from 'node:crypto'
import { mkdtemp, realpath, rm, symlink } from 'node:fs/promises'
import { join } from 'node:path'
import type { Directories } from '@backplane/sdk'

/**
 * A place in which a child that was started before its plugin was known finds that plugin's directories: links by names
 * that were granted when it started. The names are random, because a path like `data/../name` is matched as written but
 * followed through the link: it must lead nowhere.
 */
export interface Slot extends AsyncDisposable {
  /** Also the child's working directory. */
  readonly directory: string
  /** Where the links will be. */
  readonly paths: Directories
  /** Puts the links; once. Answers the real path of the code. */
  readonly link: (directories: Directories) => Promise<string>
}

/** Makes an empty slot under `parent`. Dispose it to remove it; what the links lead to stays. */
export async function makeSlot(parent: string): Promise<Slot> {
  const directory = await mkdtemp(join(parent, `slot-${randomBytes(8).toString('hex')}-`))
  const name = (): string => join(directory, randomBytes(8).toString('hex'))
  const paths: Directories = { code: name(), data: name(), exchange: name() }
  return {
    directory,
    paths,
    link: async ({ code, data, exchange }) => {
      const [realCode, realData, realExchange] = await Promise.all([realpath(code), realpath(data), realpath(exchange)])
      await Promise.all([symlink(realCode, paths.code), symlink(realData, paths.data), symlink(realExchange, paths.exchange)])
      return realCode
    },
    [Symbol.asyncDispose]: () => rm(directory, { recursive: true, force: true }),
  }
}
