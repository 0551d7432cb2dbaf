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
  const top = { path: '', stats: statOf(root, path) }
  const walked: Resolved[] = []
  let links = 0
  for (let name = ahead.pop(); name !== undefined; name = ahead.pop()) {
    if (name === '' || name === '.') continue
    if (name === '..') {
      // Above this machine's own root is the root.
      if (walked.pop() === undefined && root !== '/') throw exliarErrors.error('TREE_ESCAPES', { path, root })
      continue
    }
    const above = walked.at(-1) ?? top
    const here = `${above.path}/${name}`
    const onHost = root === '/' ? here : `${root}${here}`
    const stats = above.stats?.isDirectory() === true ? statOf(onHost, path) : undefined
    if (stats?.isSymbolicLink() !== true) {
      walked.push({ path: here, stats })
      continue
    }
    if (++links > mostLinks) throw exliarErrors.error('TREE_UNREADABLE', { path, reason: 'its links go in a circle' })
    const target = targetOf(onHost, path)
    if (target.startsWith('/')) walked.length = 0
    ahead.push(...target.split('/').toReversed())
  }
  return walked.at(-1) ?? { ...top, path: '/' }
}

/** It was a link a moment ago. */
function targetOf(onHost: string, path: string): string {
  try {
    return readlinkSync(onHost)
  } catch (error) {
    throw exliarErrors.error('TREE_UNREADABLE', { path, reason: errnoOf(error) }, { cause: error })
  }
}

function statOf(onHost: string, path: string): Stats | undefined {
  try {
    return lstatSync(onHost, { throwIfNoEntry: false })
  } catch (error) {
    const reason = errnoOf(error)
    if (reason === 'ENOENT' || reason === 'ENOTDIR') return undefined
    throw exliarErrors.error('TREE_UNREADABLE', { path, reason }, { cause: error })
  }
}
