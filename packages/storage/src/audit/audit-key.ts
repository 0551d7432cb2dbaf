import { randomBytes } from 'node:crypto'
import { link, mkdir, open, unlink } from 'node:fs/promises'
import { dirname } from 'node:path'
import { PlatformError } from '@backplane/sdk'
import { storageErrors } from '../errors.ts'
import { isForeign } from '../secrets/private-file.ts'

const keyBytes = 32

/**
 * The key that records are marked with: 32 bytes in base64 in a file of mode 0600, made when it is missing and `make` is
 * set. Whoever can read it can write records that look like the host's. Errors: `AUDIT_KEY_UNUSABLE`.
 */
export async function auditKey(path: string, options: { readonly make?: boolean } = {}): Promise<Uint8Array> {
  try {
    if (options.make === true) await makeKey(path)
    await using file = await open(path, 'r')
    const { mode, uid } = await file.stat()
    if ((mode & 0o077) !== 0) throw unusable(path, `others may read it (mode ${(mode & 0o777).toString(8)})`)
    // who only checks a log may be somebody else than who writes it
    if (options.make === true && isForeign(uid)) throw unusable(path, `it belongs to user ${uid}`)
    const key = Buffer.from((await file.readFile('utf8')).trim(), 'base64')
    if (key.length !== keyBytes) throw unusable(path, `it does not hold ${keyBytes} bytes in base64`)
    return key
  } catch (error) {
    if (error instanceof PlatformError) throw error
    throw unusable(path, error instanceof Error ? error.message : String(error), error)
  }
}

/** Whole or not at all: it is written beside and then linked, which fails where there is one. */
async function makeKey(path: string): Promise<void> {
  await mkdir(dirname(path), { recursive: true, mode: 0o700 })
  const temporary = `${path}.${randomBytes(6).toString('hex')}`
  try {
    {
      await using file = await open(temporary, 'wx', 0o600)
      await file.writeFile(`${randomBytes(keyBytes).toString('base64')}\n`)
      await file.sync()
    }
    await link(temporary, path).catch((error: unknown) => {
      if (Reflect.get(Object(error), 'code') !== 'EEXIST') throw error
    })
  } finally {
    await unlink(temporary).catch(() => undefined)
  }
}

function unusable(path: string, reason: string, cause?: unknown): Error {
  return storageErrors.error('AUDIT_KEY_UNUSABLE', { path, reason }, { cause })
}
