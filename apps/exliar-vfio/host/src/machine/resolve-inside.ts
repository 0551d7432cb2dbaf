import { lstatSync, readlinkSync, type Stats } from 'node:fs'
import { exliarErrors } from '../errors.ts'
import { errnoOf } from './errno-of.ts'

/** What a path of the machine leads to. */
export interface Resolved {
  /** As the machine names it, free of links: what is below it, but not it, may be missing. */
  readonly path: string
  /** Undefined: nothing is there. */
  readonly stats: Stats | undefined
}

/** As many as Linux itself follows. */
const mostLinks = 40

/**
 * Follows every link of `path` as the machine with this root would: an absolute link starts at the root. Nothing outside
 * is looked at. Errors: `TREE_ESCAPES` when `..` climbs above the root; `TREE_UNREADABLE` when links go in a circle or a
 * directory may not be entered.
 */
export function resolveInside(root: string, path: string): Resolved {
  const ahead = path.split('/').toReversed()
  const real: string[] = []
  let stats: Stats | undefined = statOf(root, [], path)
  let links = 0
  for (let name = ahead.pop(); name !== undefined; name = ahead.pop()) {
    if (name === '' || name === '.') continue
    if (name === '..') {
      if (real.pop() === undefined) throw exliarErrors.error('TREE_ESCAPES', { path, root })
      stats = statOf(root, real, path)
      continue
    }
    real.push(name)
    stats = stats?.isDirectory() === true ? statOf(root, real, path) : undefined
    if (stats?.isSymbolicLink() !== true) continue
    if (++links > mostLinks) throw exliarErrors.error('TREE_UNREADABLE', { path, reason: 'its links go in a circle' })
    const target = readlinkSync(join(root, real))
    real.pop()
    if (target.startsWith('/')) real.length = 0
    ahead.push(...target.split('/').toReversed())
    stats = statOf(root, real, path)
  }
  return { path: `/${real.join('/')}`, stats }
}

function statOf(root: string, real: readonly string[], path: string): Stats | undefined {
  try {
    return lstatSync(join(root, real), { throwIfNoEntry: false })
  } catch (error) {
    const reason = errnoOf(error)
    if (reason === 'ENOENT' || reason === 'ENOTDIR') return undefined
    throw exliarErrors.error('TREE_UNREADABLE', { path, reason }, { cause: error })
  }
}

function join(root: string, names: readonly string[]): string {
  return `${root === '/' ? '' : root}/${names.join('/')}`
}
