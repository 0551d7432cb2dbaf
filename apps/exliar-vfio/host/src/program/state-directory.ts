import { hash } from 'node:crypto'
import { mkdir } from 'node:fs/promises'
import { homedir } from 'node:os'
import { join } from 'node:path'
import { exliarErrors } from '../errors.ts'
import { errnoOf } from '../machine/errno-of.ts'

/** What decides where state is kept. */
export interface StateOwner {
  /** Real path of the machine's tree. */
  readonly root: string
  readonly uid: number | undefined
  readonly env: Readonly<Record<string, string | undefined>>
  /** Said by hand. */
  readonly named?: string | undefined
}

/**
 * Where plugins keep their files for this machine, never inside a copied tree: `/var/lib/exliar-vfio-plugins` of root, for
 * others and for copies a directory of the user's own.
 */
export function stateDirectory({ root, uid, env, named }: StateOwner): string {
  if (named !== undefined) return named
  if (root === '/' && uid === 0) return '/var/lib/exliar-vfio-plugins'
  const home = env['XDG_STATE_HOME'] || join(env['HOME'] ?? homedir(), '.local/state')
  return join(home, 'exliar-vfio', root === '/' ? 'this-machine' : hash('sha256', root).slice(0, 16))
}

/** Makes it, for its owner alone. Errors: `TREE_UNWRITABLE`. */
export async function makeStateDirectory(path: string): Promise<string> {
  try {
    await mkdir(path, { recursive: true, mode: 0o700 })
    return path
  } catch (error) {
    throw exliarErrors.error('TREE_UNWRITABLE', { path, reason: errnoOf(error) }, { cause: error })
  }
}
