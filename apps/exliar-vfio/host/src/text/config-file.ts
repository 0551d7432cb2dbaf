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

/** The bytes of an edited text. */
export function configBytes(text: string): Buffer {
  return Buffer.from(text, 'latin1')
}
