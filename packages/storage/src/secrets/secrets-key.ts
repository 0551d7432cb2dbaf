import { randomBytes } from 'node:crypto'
import { mkdir } from 'node:fs/promises'
import { dirname } from 'node:path'
import { PlatformError } from '@backplane/sdk'
import { storageErrors } from '../errors.ts'
import { readPrivate, writePrivate } from './private-file.ts'

/** Where the key of a file of secrets is kept, and which of its generations was seen last. */
export interface SecretsKey {
  /** For people: a path, or what keeps it. */
  readonly place: string
  /** Newest last; two only while a key is being replaced. None where there is no key yet. */
  readonly load: () => Promise<readonly Uint8Array[]>
  readonly save: (keys: readonly Uint8Array[]) => Promise<void>
  readonly seen: () => Promise<number>
  readonly see: (generation: number) => Promise<void>
  /** What says which generation was seen, for people. */
  readonly witness: string
}

const keyBytes = 32
const largestBytes = 4_096

/** A key of 32 random bytes. */
export function newSecretsKey(): Uint8Array {
  return randomBytes(keyBytes)
}

/**
 * A key in a file of mode 0600, in base64, and beside it `<file>.generation`. Keep both away from the secrets: whoever has
 * both files has the secrets. Errors: `SECRETS_KEY_UNUSABLE`, `SECRETS_EXPOSED`.
 */
export function keyFile(path: string): SecretsKey {
  const witness = `${path}.generation`
  return {
    place: path,
    witness,
    load: () => guarded(path, async () => parseKeys(path, await readPrivate(path, largestBytes))),
    save: (keys) =>
      guarded(path, async () => {
        await mkdir(dirname(path), { recursive: true, mode: 0o700 })
        await writePrivate(path, keysText(keys))
      }),
    seen: () => guarded(path, async () => generation(await readPrivate(witness, largestBytes))),
    see: (seen) => guarded(path, () => writePrivate(witness, `${seen}\n`)),
  }
}

/** Reads what {@link keysText} wrote. */
export function parseKeys(place: string, text: string | undefined): readonly Uint8Array[] {
  const keys = (text ?? '').split(/\s+/).filter((one) => one !== '')
  const bytes = keys.map((one) => Buffer.from(one, 'base64'))
  if (bytes.length > 2 || bytes.some(({ length }) => length !== keyBytes) || (text !== undefined && keys.length === 0)) {
    throw storageErrors.error('SECRETS_KEY_UNUSABLE', { place, reason: `it does not hold ${keyBytes} bytes in base64` })
  }
  return bytes
}

/** Keys as text. */
export function keysText(keys: readonly Uint8Array[]): string {
  return keys.map((key) => `${Buffer.from(key).toString('base64')}\n`).join('')
}

/** A generation as it was written down; of nothing, 0. */
export function generation(text: string | undefined): number {
  const number = Number((text ?? '0').trim())
  return Number.isSafeInteger(number) && number >= 0 ? number : 0
}

async function guarded<T>(place: string, work: () => Promise<T>): Promise<T> {
  try {
    return await work()
  } catch (error) {
    if (error instanceof PlatformError) throw error
    const reason = error instanceof Error ? error.message : String(error)
    throw storageErrors.error('SECRETS_KEY_UNUSABLE', { place, reason }, { cause: error })
  }
}
