import { randomBytes } from 'node:crypto'
import { link } from 'node:fs/promises'
import { serverErrors } from '../errors.ts'
import { readPrivateFile, writePrivateFile } from './private-file.ts'
import { tokenDigest, type Token } from './token.ts'

/** A token that lives in a file its owner alone may read. */
export interface TokenFile extends Token {
  readonly path: string
  /** Whether this call made it. */
  readonly created: boolean
}

/**
 * Reads the admin token of `path`, or makes one: 256 random bits, in a file of mode 0600, in a directory of mode 0700
 * if that has to be made too. Of several processes that start at once one wins and all read the same. The token
 * itself is not kept in memory; who needs it reads the file.
 * Errors: `SERVER_TOKEN_FILE_EXPOSED`, `SERVER_TOKEN_FILE_INVALID`, `SERVER_TOKEN_FILE_UNUSABLE`.
 */
export async function tokenFile(path: string): Promise<TokenFile> {
  try {
    const existing = await read(path)
    if (existing !== undefined) return { ...existing, path, created: false }
    const created = await create(path)
    const token = await read(path)
    if (token === undefined) throw new Error('it vanished')
    return { ...token, path, created }
  } catch (error) {
    if (error instanceof Error && 'code' in error && String(error.code).startsWith('SERVER_')) throw error
    const reason = error instanceof Error ? error.message : String(error)
    throw serverErrors.error('SERVER_TOKEN_FILE_UNUSABLE', { path, reason }, { cause: error })
  }
}

async function read(path: string): Promise<Token | undefined> {
  const text = (await readPrivateFile(path, 1_024))?.trim()
  if (text === undefined) return undefined
  if (!/^[A-Za-z0-9_-]{43,512}$/.test(text)) throw serverErrors.error('SERVER_TOKEN_FILE_INVALID', { path })
  return { name: 'token file', sha256: tokenDigest(text), scope: 'admin' }
}

// Written under another name and linked, so that nobody ever reads half a token, and the first one to come wins.
async function create(path: string): Promise<boolean> {
  try {
    await writePrivateFile(path, `${newSecret()}\n`, link)
    return true
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'EEXIST') return false
    throw error
  }
}

/** A token nobody can guess: 256 random bits, in letters a header takes. */
export function newSecret(): string {
  return randomBytes(32).toString('base64url')
}
