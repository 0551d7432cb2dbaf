import { createHash } from 'node:crypto'
import type { MachineTree } from '../machine/machine-tree.ts'

/** Contents by their hash, in one directory of the machine. */
export class BackupStore {
  /** As the machine names it. */
  readonly directory: string
  readonly #tree: MachineTree

  constructor(tree: MachineTree, directory: string) {
    this.#tree = tree
    this.directory = directory
  }

  /** Keeps a content, for good also when the power fails; answers its hash. */
  async keep(content: Uint8Array): Promise<string> {
    const hash = sha256(content)
    await this.#tree.makeDirectory(this.directory)
    if (this.get(hash) === undefined) {
      const owner = this.#tree.stat(this.directory)
      // What is backed up may be secret.
      await this.#tree.write(this.pathOf(hash), content, { mode: 0o600, uid: owner?.uid ?? 0, gid: owner?.gid ?? 0 })
    }
    return hash
  }

  /** Undefined: it is not there, or is another content by now. */
  get(hash: string): Buffer | undefined {
    const content = this.#tree.readBytes(this.pathOf(hash))
    return content !== undefined && sha256(content) === hash ? content : undefined
  }

  pathOf(hash: string): string {
    return `${this.directory}/${hash}`
  }

  /** Removes all of them, and the directory. */
  async clear(): Promise<void> {
    if (!this.#tree.has(this.directory)) return
    for (const name of this.#tree.names(this.directory)) await this.#tree.remove(`${this.directory}/${name}`)
    await this.#tree.removeDirectory(this.directory)
  }
}

/** Hexadecimal. */
export function sha256(content: Uint8Array | string): string {
  return createHash('sha256').update(content).digest('hex')
}
