import { lstat, readlink } from 'node:fs/promises'
import { join, resolve } from 'node:path'

/** As many as the kernel follows. */
const mostLinks = 40

/** Where a path leads. */
export type Way =
  /** To this real path, and nobody who may write to the directories in question can change that. */
  | { readonly kind: 'fixed'; readonly real: string }
  /** Into `directory`, where whoever may write decides what a name leads to. */
  | { readonly kind: 'through'; readonly directory: string }
  | { readonly kind: 'nowhere' }

/**
 * Follows a path link by link, as the kernel does, but no further than into one of `writable`, given by real paths: a name
 * in there may be made to lead to any file before it is used.
 */
export async function wayTo(path: string, writable: readonly string[]): Promise<Way> {
  let [at, links] = ['/', 0]
  const left = partsOf(path)
  for (let part = left.shift(); part !== undefined; part = left.shift()) {
    const directory = writable.find((one) => isWithin(at, one))
    if (directory !== undefined) return { kind: 'through', directory }
    const next = resolve(at, part)
    const stats = await lstat(next).catch(() => undefined)
    if (stats === undefined) return { kind: 'nowhere' }
    if (!stats.isSymbolicLink()) {
      at = next
      continue
    }
    links += 1
    if (links > mostLinks) return { kind: 'nowhere' }
    const target = await readlink(next)
    left.unshift(...partsOf(target))
    if (target.startsWith('/')) at = '/'
  }
  return { kind: 'fixed', real: at }
}

/** Where a name leads in a place that has only what is at or below one of `there`: to itself, or through links in them. */
export async function nameAmong(path: string, there: readonly string[]): Promise<string> {
  let [at, links] = ['/', 0]
  const left = partsOf(path)
  for (let part = left.shift(); part !== undefined; part = left.shift()) {
    const next = join(at, part)
    const isThere = there.some((one) => isWithin(at, one))
    const stats = isThere && links < mostLinks ? await lstat(next).catch(() => undefined) : undefined
    if (stats?.isSymbolicLink() !== true) {
      at = next
      continue
    }
    links += 1
    const target = await readlink(next)
    left.unshift(...partsOf(target))
    if (target.startsWith('/')) at = '/'
  }
  return at
}

/** Whether a path is a directory or lies in it. */
export function isWithin(path: string, directory: string): boolean {
  return `${path}/`.startsWith(directory === '/' ? '/' : `${directory}/`)
}

function partsOf(path: string): string[] {
  return path.split('/').filter((part) => part !== '' && part !== '.')
}
