import { readFile, writeFile } from 'node:fs/promises'
import { parseStrictJson } from '@backplane/sdk/strict-json'
import { backplaneErrors } from '../errors.ts'

/** Nesting of what is read as JSON. */
const depthLimit = 32

/** Errors: `BACKPLANE_FILE_UNREADABLE`. */
export async function readText(path: string): Promise<string> {
  return readFile(path, 'utf8').catch(unreadable(path))
}

/** Reads JSON as hosts do: no key stands in it twice. Errors: `BACKPLANE_FILE_UNREADABLE`, `BACKPLANE_FILE_INVALID` with the hint. */
export async function readJson(path: string, hint: string): Promise<unknown> {
  const parsed = parseStrictJson(await readText(path), depthLimit)
  if (parsed.kind === 'value') return parsed.value
  throw backplaneErrors.error('BACKPLANE_FILE_INVALID', { path, reason: 'it is no JSON that has one meaning', hint })
}

/** Errors: `BACKPLANE_FILE_UNWRITABLE`. */
export async function writeText(path: string, text: string): Promise<void> {
  await writeFile(path, text).catch(unwritable(path))
}

/** JSON in a file for people. */
export function jsonText(value: unknown): string {
  return `${JSON.stringify(value, undefined, 2)}\n`
}

/** For a `catch`: what kept a file from being read, with a code. */
export function unreadable(path: string): (error: unknown) => never {
  return (error) => {
    throw backplaneErrors.error('BACKPLANE_FILE_UNREADABLE', { path, reason: systemCode(error) }, { cause: error })
  }
}

/** For a `catch`: what kept a file from being written, with a code. */
export function unwritable(path: string): (error: unknown) => never {
  return (error) => {
    throw backplaneErrors.error('BACKPLANE_FILE_UNWRITABLE', { path, reason: systemCode(error) }, { cause: error })
  }
}

/** What the system calls it, such as `ENOENT`. */
export function systemCode(error: unknown): string {
  return String(Reflect.get(Object(error), 'code') ?? error)
}
