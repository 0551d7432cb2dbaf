import { randomBytes } from 'node:crypto'
import type { MachineTree } from '../machine/machine-tree.ts'

/** More than the files that are put back take; of images the program makes new ones in place. */
const reservedBytes = 1024 * 1024

/** Room that is kept from the first step on, so that a disk which became full meanwhile does not keep an undo from being done. */
export class DiskReserve {
  readonly #tree: MachineTree
  readonly #path: string

  /** `path` as the machine names it, in a directory that exists. */
  constructor(tree: MachineTree, path: string) {
    this.#tree = tree
    this.#path = path
  }

  /** Keeps it, where it is not kept already. Errors: `TREE_UNWRITABLE`; then nothing is kept. */
  async keep(): Promise<void> {
    if (this.#tree.stat(this.#path)?.sizeBytes === reservedBytes) return
    // Some file systems take no room for what can be made smaller.
    await this.#tree.write(this.#path, randomBytes(reservedBytes))
  }

  /** Gives it to whoever writes next. */
  async release(): Promise<void> {
    await this.#tree.removeUnfinished(this.#path)
    await this.#tree.remove(this.#path)
  }
}
