import type { MachineTree } from '../machine/machine-tree.ts'

/** What is asked of a machine's files when only looking. */
export type TreeReader = Pick<MachineTree, 'readBytes' | 'names' | 'has' | 'stat' | 'linkName' | 'realPath'>

/**
 * A configuration file to be edited in places. `text` has one character for each byte, so that bytes of any encoding come
 * back as they were; what is looked for and written is ASCII.
 */
export interface ConfigFile {
  /** Absolute, as the machine names it. */
  readonly path: string
  readonly text: string
}

/** A file that becomes another. */
export interface FileEdit extends ConfigFile {
  /** Undefined: it is new. */
  readonly before: string | undefined
  /** Permission bits of a new one; default 0644. */
  readonly mode?: number
}

/** Undefined when it is missing. Errors: those of `MachineTree.readBytes`. */
export function readConfig(tree: TreeReader, path: string): ConfigFile | undefined {
  const bytes = tree.readBytes(path)
  return bytes === undefined ? undefined : { path, text: bytes.toString('latin1') }
}

/** The files of a drop-in directory that end so, in the order they are read. Missing: none. */
export function readDropIns(tree: TreeReader, directory: string, ending: string): readonly ConfigFile[] {
  return tree
    .names(directory)
    .filter((name) => name.endsWith(ending) && !name.startsWith('.'))
    .map((name) => readConfig(tree, `${directory}/${name}`))
    .filter((file) => file !== undefined)
}

/**
 * As {@link readDropIns}, of several directories, in the order of the names: a file of the same name in an earlier one takes the place
 * of those in later ones.
 */
export function readMerged(tree: TreeReader, directories: readonly string[], ending: string): readonly ConfigFile[] {
  const paths = new Map<string, string>()
  for (const directory of directories) {
    for (const name of tree.names(directory)) {
      if (name.endsWith(ending) && !name.startsWith('.') && !paths.has(name)) paths.set(name, `${directory}/${name}`)
    }
  }
  const ordered = [...paths].toSorted(([a], [b]) => (a < b ? -1 : 1))
  return ordered.map(([, path]) => readConfig(tree, path)).filter((file) => file !== undefined)
}

/** The bytes of an edited text. */
export function configBytes(text: string): Buffer {
  return Buffer.from(text, 'latin1')
}
