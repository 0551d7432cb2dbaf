import { readFile } from 'node:fs/promises'
import { z } from 'zod'
import { parseStrictJson } from '@backplane/sdk/strict-json'
import { sourceErrors } from '../../errors.ts'
import { oneAtATime } from '../../lock/one-at-a-time.ts'
import { messageOf } from '../../message-of.ts'
import { replaceFile } from '../../replace-file.ts'

/** What is remembered of an index from one look to the next. */
export interface SeenIndex {
  readonly version: number
  /** The latest signed time, ms since the epoch, so that a clock set back revives nothing. */
  readonly issuedMs: number
}

const Memory = z.strictObject({
  memoryVersion: z.literal(1),
  indexes: z.record(z.string(), z.strictObject({ version: z.number().int().min(0), issuedMs: z.number() })),
})

const none: SeenIndex = { version: 0, issuedMs: 0 }

/** Which indexes were seen, so that an older one is told from the newest. In a file, or as long as it lives. */
export class IndexMemory {
  readonly #path: string | undefined
  readonly #seen = new Map<string, SeenIndex>()

  constructor(path: string | undefined) {
    this.#path = path
  }

  /** Errors: `INDEX_MEMORY_INVALID`. */
  async recall(index: string): Promise<SeenIndex> {
    const kept = this.#path === undefined ? none : ((await readMemory(this.#path))[index] ?? none)
    return later(kept, this.#seen.get(index) ?? none)
  }

  /** Errors: `INDEX_MEMORY_INVALID`, `LOCK_BUSY`, `SOURCE_STORE_FAILED`. */
  async remember(index: string, seen: SeenIndex, signal: AbortSignal): Promise<void> {
    this.#seen.set(index, seen)
    const path = this.#path
    if (path === undefined) return
    await oneAtATime(
      path,
      async () => {
        const indexes = await readMemory(path)
        const newest = later(indexes[index] ?? none, seen)
        const text = `${JSON.stringify({ memoryVersion: 1, indexes: { ...indexes, [index]: newest } }, undefined, 2)}\n`
        await replaceFile(path, text).catch((error: unknown) => {
          throw sourceErrors.error('SOURCE_STORE_FAILED', { path, reason: messageOf(error) }, { cause: error })
        })
      },
      signal,
    )
  }
}

function later(one: SeenIndex, other: SeenIndex): SeenIndex {
  return { version: Math.max(one.version, other.version), issuedMs: Math.max(one.issuedMs, other.issuedMs) }
}

/**
 * The latest time that any index was signed at, of all that this memory has seen, ms since the epoch; 0 where it has seen none. A
 * clock that is behind it is wrong. Errors: `INDEX_MEMORY_INVALID`.
 */
export async function newestIndexMs(memory: string): Promise<number> {
  return Math.max(0, ...Object.values(await readMemory(memory)).map(({ issuedMs }) => issuedMs))
}

async function readMemory(path: string): Promise<Readonly<Record<string, SeenIndex>>> {
  let text: string
  try {
    text = await readFile(path, 'utf8')
  } catch (error) {
    if (error instanceof Error && Reflect.get(error, 'code') === 'ENOENT') return {}
    throw sourceErrors.error('INDEX_MEMORY_INVALID', { path, problem: messageOf(error) }, { cause: error })
  }
  const parsed = parseStrictJson(text, 8)
  const memory = Memory.safeParse(parsed.kind === 'value' ? parsed.value : undefined)
  if (memory.success) return memory.data.indexes
  const problem = parsed.kind === 'value' ? (memory.error.issues[0]?.message ?? 'its shape is another') : 'it is not JSON'
  throw sourceErrors.error('INDEX_MEMORY_INVALID', { path, problem })
}
