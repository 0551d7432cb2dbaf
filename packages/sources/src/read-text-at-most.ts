import { isUtf8 } from 'node:buffer'
import { constants } from 'node:fs'
import { open } from 'node:fs/promises'
import { sourceErrors } from './errors.ts'
import { messageOf } from './message-of.ts'

/** A text file as a whole, or why it is not taken; `absent` when there is none. */
export type TextReading =
  | { readonly kind: 'text'; readonly text: string }
  | { readonly kind: 'absent' }
  | { readonly kind: 'refused'; readonly problem: string }

/** Reads a file that people write, of at most so many bytes. Errors: `SOURCE_UNREADABLE`. */
export async function readTextAtMost(path: string, mostBytes: number): Promise<TextReading> {
  try {
    await using file = await open(path, constants.O_RDONLY | constants.O_NONBLOCK)
    const stats = await file.stat()
    if (!stats.isFile()) throw new Error('it is not a regular file')
    if (stats.size > mostBytes) return { kind: 'refused', problem: `it has more than ${mostBytes} bytes` }
    const bytes = await file.readFile()
    if (!isUtf8(bytes)) return { kind: 'refused', problem: 'it is not UTF-8' }
    return { kind: 'text', text: bytes.toString('utf8') }
  } catch (error) {
    if (Reflect.get(Object(error), 'code') === 'ENOENT') return { kind: 'absent' }
    throw sourceErrors.error('SOURCE_UNREADABLE', { path, reason: messageOf(error) }, { cause: error })
  }
}
