import { join } from 'node:path'
import { parseStrictJson } from '@backplane/sdk/strict-json'
import { readPolicy, type Advisory } from '@backplane/trust'
import { z } from 'zod'
import { sourceErrors } from '../../errors.ts'
import { messageOf } from '../../message-of.ts'
import { readTextAtMost } from '../../read-text-at-most.ts'
import { replaceFile } from '../../replace-file.ts'
import { readIndexDocument, type IndexDocument } from './index-format.ts'

/** What an index said when it could last be read: signed by enough of its keys, and newer than any before. */
export interface IndexCopy {
  readonly document: IndexDocument
  readonly advisories: readonly Advisory[]
}

const Copy = z.strictObject({ copyVersion: z.literal(1), document: z.unknown(), advisories: z.unknown() })

/** Size of a copy, bytes, and nesting of its values. */
const mostBytes = 128 * 1024 * 1024
const mostDepth = 32

/**
 * Copies of what indexes said, for when they cannot be read: to search without a network, and so that nobody takes an advisory
 * back by serving an older index, one that ran out, or none. In a folder of the host, or as long as this lives.
 */
export class IndexCopies {
  readonly #folder: string | undefined
  readonly #known = new Map<string, IndexCopy>()

  constructor(folder: string | undefined) {
    this.#folder = folder
  }

  /** Undefined when it could never be read. Errors: `INDEX_MEMORY_INVALID`. */
  async recall(index: string): Promise<IndexCopy | undefined> {
    const known = this.#known.get(index)
    if (known !== undefined || this.#folder === undefined) return known
    const path = this.#pathOf(this.#folder, index)
    const reading = await readTextAtMost(path, mostBytes)
    if (reading.kind === 'absent') return undefined
    const copy = readCopy(reading.kind === 'refused' ? '' : reading.text, path)
    this.#known.set(index, copy)
    return copy
  }

  /** Keeps it, unless a newer one is kept. Errors: `INDEX_MEMORY_INVALID`, `SOURCE_STORE_FAILED`. */
  async keep(index: string, copy: IndexCopy): Promise<void> {
    const before = await this.recall(index)
    if (before !== undefined && before.document.version >= copy.document.version) return
    if (this.#folder !== undefined) {
      const path = this.#pathOf(this.#folder, index)
      await replaceFile(path, `${JSON.stringify({ copyVersion: 1, ...copy })}\n`).catch((error: unknown) => {
        throw sourceErrors.error('SOURCE_STORE_FAILED', { path, reason: messageOf(error) }, { cause: error })
      })
    }
    this.#known.set(index, copy)
  }

  /** Names of indexes are plain. */
  #pathOf(folder: string, index: string): string {
    return join(folder, `${index}.json`)
  }
}

/** Errors: `INDEX_MEMORY_INVALID`. */
function readCopy(text: string, path: string): IndexCopy {
  const parsed = parseStrictJson(text, mostDepth)
  const shape = Copy.safeParse(parsed.kind === 'value' ? parsed.value : undefined)
  try {
    if (!shape.success) throw new Error('it is no copy of an index')
    const { advisories = [] } = readPolicy({ advisories: shape.data.advisories })
    return { document: readIndexDocument(shape.data.document, path), advisories }
  } catch (error) {
    throw sourceErrors.error('INDEX_MEMORY_INVALID', { path, problem: messageOf(error) }, { cause: error })
  }
}
