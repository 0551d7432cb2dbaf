import { stat } from 'node:fs/promises'
import { join } from 'node:path'
import type { SecretBroker } from '@backplane/kernel'
import { readPrivate, refuseExposed } from './private-file.ts'
import { isSecretName } from './secret-name.ts'

/** Largest value of a secret, bytes. */
export const largestSecretBytes: number = 64 * 1024

/** Asks brokers one after another; the first that has the secret answers. What one throws ends the search. */
export function firstSecret(brokers: readonly SecretBroker[]): SecretBroker {
  return {
    resolve: async (name, plugin) => {
      if (!isSecretName(name)) return undefined
      for (const broker of brokers) {
        const value = await broker.resolve(name, plugin)
        if (value !== undefined) return value
      }
      return undefined
    },
  }
}

/** `do-token` is the variable made of the prefix and `DO_TOKEN`. */
export function environmentSecrets(env: Readonly<Record<string, string | undefined>>, prefix: string): SecretBroker {
  return {
    resolve: async (name) => {
      if (!isSecretName(name)) return undefined
      const variable = prefix + name.toUpperCase().replaceAll(/[^A-Z0-9]/g, '_')
      return Object.hasOwn(env, variable) ? env[variable] : undefined
    },
  }
}

/**
 * A file of that name in a directory, read anew each time; one end of line at its end is not part of it. What others may
 * read is refused, because it is no secret: `SECRETS_EXPOSED`, also of the directory. Errors: also `SECRETS_FULL`.
 */
export function directorySecrets(directory: string): SecretBroker {
  return {
    resolve: async (name) => {
      if (!isSecretName(name)) return undefined
      await checkSecretsDirectory(directory)
      return (await readPrivate(join(directory, name), largestSecretBytes))?.replace(/\r?\n$/, '')
    },
  }
}

/** Refuses a directory that others may enter. Errors: `SECRETS_EXPOSED`. */
export async function checkSecretsDirectory(directory: string): Promise<void> {
  const found = await stat(directory).catch(() => undefined)
  if (found !== undefined) refuseExposed(directory, found)
}
