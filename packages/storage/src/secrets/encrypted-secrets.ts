import { randomUUID } from 'node:crypto'
import type { SecretBroker } from '@backplane/kernel'
import { storageErrors } from '../errors.ts'
import { oneChange } from './one-change.ts'
import { largestSecretBytes } from './plain-secrets.ts'
import { readPrivate, writePrivate } from './private-file.ts'
import { checkSecretName, isSecretName } from './secret-name.ts'
import { newSecretsKey, type SecretsKey } from './secrets-key.ts'
import { readSecrets, seal, sealedText, unseal, type SealedSecrets } from './secrets-text.ts'

/** Largest file, bytes. */
const largestFileBytes = 4 * 1024 ** 2
/** Secrets in one file. */
const mostSecrets = 1_000

/** A file of secrets, encrypted with a key that is kept elsewhere. */
export interface EncryptedSecrets extends SecretBroker {
  /** Names, sorted. */
  readonly list: () => Promise<readonly string[]>
  /** Makes the file, and the key, where there are none. Errors also: `SECRET_NAME_INVALID`, `SECRETS_FULL`, `SECRETS_BUSY`. */
  readonly set: (name: string, value: string) => Promise<void>
  /** Errors also: `SECRET_UNKNOWN`, `SECRETS_BUSY`. */
  readonly remove: (name: string) => Promise<void>
  /** Encrypts everything anew with a new key; the old one opens nothing afterwards but old copies. */
  readonly rotateKey: () => Promise<void>
}

/**
 * Opens nothing yet: the file is read, checked and decrypted at each use, and nothing of it is kept. A change is whole and
 * on the disk when its promise settles; killed at any moment, the file and the key are as before or as after. Errors of
 * all methods: `SECRETS_EXPOSED`, `SECRETS_KEY_UNUSABLE`, `SECRETS_KEY_WRONG`, `SECRETS_FILE_DAMAGED`,
 * `SECRETS_FILE_CHANGED`, `SECRETS_FILE_ROLLED_BACK`.
 */
export function encryptedSecrets(path: string, keys: SecretsKey): EncryptedSecrets {
  const refuse = (code: Parameters<typeof storageErrors.error>[0], more: Readonly<Record<string, string | number>> = {}): Error =>
    storageErrors.error(code, { path, place: keys.place, ...more })

  const read = async (): Promise<Opened | undefined> => {
    const seen = await keys.seen()
    const text = await readPrivate(path, largestFileBytes)
    if (text === undefined) {
      if (seen > 0) throw refuse('SECRETS_FILE_ROLLED_BACK', { found: 0, seen, witness: keys.witness })
      return undefined
    }
    const known = await keys.load()
    if (known.length === 0) throw refuse('SECRETS_KEY_UNUSABLE', { reason: 'it is not there' })
    const opened = readSecrets(text, known)
    if (opened.kind === 'damaged') throw refuse('SECRETS_FILE_DAMAGED', { reason: opened.reason })
    if (opened.kind === 'wrong-key') {
      // Between the two looks both may have become others: then it is read again, and else it is wrong.
      if ((await readPrivate(path, largestFileBytes)) === text) throw refuse('SECRETS_KEY_WRONG')
      return read()
    }
    if (opened.kind === 'changed') throw refuse('SECRETS_FILE_CHANGED')
    const { generation: found } = opened.secrets
    if (found < seen) throw refuse('SECRETS_FILE_ROLLED_BACK', { found, seen, witness: keys.witness })
    if (found > seen) await keys.see(found)
    return { ...opened, keys: known }
  }

  const write = async (secrets: Omit<SealedSecrets, 'check' | 'format' | 'generation'>, to: Written): Promise<void> => {
    const next = { ...secrets, format: 1, generation: to.generation } as const
    const text = sealedText(next, to.key)
    if (text.length > largestFileBytes) throw refuse('SECRETS_FULL', { what: path, limit: largestFileBytes, unit: 'bytes' })
    await writePrivate(path, text)
    await keys.see(to.generation)
  }

  /** The file as it is, or a new one, with a key. */
  const readOrMake = async (): Promise<Opened> => {
    const there = await read()
    if (there !== undefined) return there
    const known = await keys.load()
    const key = known.at(-1) ?? newSecretsKey()
    if (known.length === 0) await keys.save([key])
    return { secrets: { format: 1, id: randomUUID(), generation: 0, entries: {}, check: '' }, key, keys: [key] }
  }

  const decrypted = ({ secrets, key }: Opened, name: string): string => {
    const entry = secrets.entries[name]
    const value = entry === undefined ? undefined : unseal(entry, name, secrets.id, key)
    if (value === undefined) throw refuse('SECRETS_FILE_CHANGED')
    return value
  }

  return {
    resolve: async (name) => {
      if (!isSecretName(name)) return undefined
      const opened = await read()
      return opened === undefined || !Object.hasOwn(opened.secrets.entries, name) ? undefined : decrypted(opened, name)
    },
    list: async () => Object.keys((await read())?.secrets.entries ?? {}).toSorted(),
    set: async (name, value) => {
      checkSecretName(name)
      if (Buffer.byteLength(value) > largestSecretBytes) {
        throw refuse('SECRETS_FULL', { what: name, limit: largestSecretBytes, unit: 'bytes' })
      }
      await oneChange(path, async () => {
        const { secrets, key } = await readOrMake()
        const entries = { ...secrets.entries, [name]: seal(value, name, secrets.id, key) }
        if (Object.keys(entries).length > mostSecrets) {
          throw refuse('SECRETS_FULL', { what: path, limit: mostSecrets, unit: 'secrets' })
        }
        await write({ id: secrets.id, entries }, { generation: secrets.generation + 1, key })
      })
    },
    remove: async (name) =>
      oneChange(path, async () => {
        const opened = await read()
        if (opened === undefined || !Object.hasOwn(opened.secrets.entries, name)) throw refuse('SECRET_UNKNOWN', { name })
        const { [name]: _removed, ...entries } = opened.secrets.entries
        await write({ id: opened.secrets.id, entries }, { generation: opened.secrets.generation + 1, key: opened.key })
      }),
    rotateKey: async () =>
      oneChange(path, async () => {
        const opened = await readOrMake()
        const { secrets } = opened
        const key = newSecretsKey()
        const names = Object.keys(secrets.entries)
        const entries = Object.fromEntries(names.map((name) => [name, seal(decrypted(opened, name), name, secrets.id, key)]))
        // Both are known until the file is written: killed here, one of them opens what is there.
        await keys.save([opened.key, key])
        await write({ id: secrets.id, entries }, { generation: secrets.generation + 1, key })
        await keys.save([key])
      }),
  }
}

interface Opened {
  readonly secrets: SealedSecrets
  /** The one the file was written with. */
  readonly key: Uint8Array
  readonly keys: readonly Uint8Array[]
}

interface Written {
  readonly generation: number
  readonly key: Uint8Array
}
