import { constants } from 'node:fs'
import { open, stat } from 'node:fs/promises'
import { join } from 'node:path'
import type { SecretBroker } from '@backplane/kernel'
import type { Environment } from '../config/default-places.ts'
import type { SecretsConfig } from '../config/host-config.ts'
import { hypersdkErrors } from '../errors.ts'
import type { Redactor } from './redactor.ts'

/** Largest secret file, bytes. */
const largestSecretBytes = 64 * 1024

/**
 * Looks secrets up: a file of that name in the secrets directory, else the environment variable made of the prefix and
 * the name in capitals. Every value that goes out is known to the redactor from then on. A file that others may read
 * is refused (`CONFIG_SECRETS_EXPOSED`), because it is no secret.
 */
export function secretBroker(config: SecretsConfig, env: Environment, redactor: Redactor): SecretBroker {
  return {
    resolve: async (name) => {
      if (!/^[A-Za-z0-9][A-Za-z0-9._-]{0,127}$/.test(name)) return undefined
      const value = (await fromFile(config.directory, name)) ?? env[variable(config.environmentPrefix, name)]
      if (value !== undefined) redactor.learn(value)
      return value
    },
  }
}

function variable(prefix: string, name: string): string {
  return prefix + name.toUpperCase().replaceAll(/[^A-Z0-9]/g, '_')
}

/** Refuses a secrets directory that others may enter. Errors: `CONFIG_SECRETS_EXPOSED`. */
export async function checkSecretsDirectory(directory: string): Promise<void> {
  const found = await stat(directory).catch(() => undefined)
  if (found !== undefined) refuseExposed(directory, found.mode)
}

async function fromFile(directory: string | undefined, name: string): Promise<string | undefined> {
  if (directory === undefined) return undefined
  await checkSecretsDirectory(directory)
  const path = join(directory, name)
  // NOFOLLOW and one descriptor: what was checked is what is read.
  const file = await open(path, constants.O_RDONLY | constants.O_NOFOLLOW).catch(() => undefined)
  if (file === undefined) return undefined
  try {
    const found = await file.stat()
    if (!found.isFile() || found.size > largestSecretBytes) return undefined
    refuseExposed(path, found.mode)
    return (await file.readFile('utf8')).replace(/\r?\n$/, '')
  } finally {
    await file.close()
  }
}

function refuseExposed(path: string, mode: number): void {
  if ((mode & 0o077) === 0) return
  throw hypersdkErrors.error('CONFIG_SECRETS_EXPOSED', { path, mode: (mode & 0o777).toString(8).padStart(4, '0') })
}
