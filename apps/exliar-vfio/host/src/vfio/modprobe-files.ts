import { readMerged, type ConfigFile, type TreeReader } from '../text/config-file.ts'

/** Source: modprobe.d(5). */
const directories = ['/etc/modprobe.d', '/run/modprobe.d', '/usr/local/lib/modprobe.d', '/usr/lib/modprobe.d', '/lib/modprobe.d']

/** A file of exliar's that is read before all others. */
export const orderPath = '/etc/modprobe.d/00-exliar-vfio.conf'
const vfioPath = '/etc/modprobe.d/vfio.conf'

/** What is to be loaded before and after a module, if it is there. */
export interface SoftDependency {
  readonly module: string
  readonly pre: readonly string[]
  readonly post: readonly string[]
}

/** All that modprobe reads, in its order: that of the names, whatever the directory. */
export function readModprobeFiles(tree: TreeReader): readonly ConfigFile[] {
  return readMerged(tree, directories, '.conf')
}

/** The line of each module that counts: the first. Source: kmod. */
export function softDependencies(files: readonly ConfigFile[]): ReadonlyMap<string, SoftDependency> {
  const found = new Map<string, SoftDependency>()
  for (const { text } of files) {
    for (const [, name = '', rest = ''] of text.replaceAll('\\\n', '  ').matchAll(/^[ \t]*softdep[ \t]+(\S+)([^\n]*)/gm)) {
      const module = name.replaceAll('-', '_')
      const [before = '', post = ''] = rest.split(/(?<=\s)post:(?=\s|$)/)
      const pre = before.replace(/^.*?(?:(?<=\s)pre:(?=\s|$)|$)/, '')
      if (!found.has(module)) found.set(module, { module, pre: wordsOf(pre), post: wordsOf(post) })
    }
  }
  return found
}

function wordsOf(text: string): readonly string[] {
  return text.split(/\s+/).filter((word) => word !== '')
}

/** Those of exliar's that are there. */
export function ownModprobeFiles(tree: TreeReader): readonly string[] {
  return [orderPath, vfioPath].filter((path) => tree.has(path))
}
