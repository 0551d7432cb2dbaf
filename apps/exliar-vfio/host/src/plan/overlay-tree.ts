import type { Entry } from '../machine/machine-tree.ts'
import { sha256 } from '../changes/backup-store.ts'
import { configBytes, type FileEdit, type TreeReader } from '../text/config-file.ts'

/** Something a plan was made from. */
export interface PlanInput {
  readonly kind: 'content' | 'names' | 'presence'
  readonly path: string
  /** A hash; for `presence` whether it is there and what it is. */
  readonly value: string
}

/**
 * A machine as it would be after the edits so far; nothing is written. It remembers everything it was asked, so that a plan
 * can be refused when the answer would be another by then.
 */
export class OverlayTree implements TreeReader {
  readonly #tree: TreeReader
  readonly #edited = new Map<string, Buffer>()
  readonly #inputs = new Map<string, PlanInput>()

  constructor(tree: TreeReader) {
    this.#tree = tree
  }

  get inputs(): readonly PlanInput[] {
    return [...this.#inputs.values()]
  }

  edit({ path, text }: FileEdit): void {
    this.#edited.set(path, configBytes(text))
  }

  readBytes(path: string): Buffer | undefined {
    this.#remember('content', path)
    return this.#edited.get(path) ?? this.#tree.readBytes(path)
  }

  names(path: string): readonly string[] {
    this.#remember('names', path)
    const added = [...this.#edited.keys()].filter((file) => file.slice(0, file.lastIndexOf('/')) === path)
    return [...new Set([...this.#tree.names(path), ...added.map((file) => file.slice(path.length + 1))])].sort()
  }

  has(path: string): boolean {
    return this.stat(path) !== undefined
  }

  stat(path: string): Entry | undefined {
    this.#remember('presence', path)
    const found = this.#tree.stat(path)
    const edited = this.#edited.get(path)
    return found ?? (edited && { kind: 'file', sizeBytes: edited.length, mode: 0o644, uid: 0, gid: 0 })
  }

  linkName(path: string): string | undefined {
    return this.#tree.linkName(path)
  }

  realPath(path: string): string | undefined {
    return this.#tree.realPath(path)
  }

  #remember(kind: PlanInput['kind'], path: string): void {
    const key = `${kind} ${path}`
    if (!this.#inputs.has(key)) this.#inputs.set(key, { kind, path, value: valueNow(this.#tree, kind, path) })
  }
}

/** What the machine would answer now. */
export function valueNow(tree: TreeReader, kind: PlanInput['kind'], path: string): string {
  switch (kind) {
    case 'content': {
      const content = tree.readBytes(path)
      return content === undefined ? 'missing' : sha256(content)
    }
    case 'names':
      return sha256(tree.names(path).join('\n'))
    case 'presence':
      return tree.stat(path)?.kind ?? 'missing'
  }
}
