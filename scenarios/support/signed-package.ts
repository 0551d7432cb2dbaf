import { execFileSync } from 'node:child_process'
import { mkdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { directoryFetcher } from '@backplane/sources/install'
import { generateKey, signPackage, type KeyPair } from '@backplane/trust'
import { writeSlowProvider, type SlowProvider } from './slow-provider.ts'

const { signal } = new AbortController()

/** What a signature says. */
export interface ToSign {
  /** Default `acme/slow`. */
  readonly id?: string | undefined
  readonly version: string
  /** Ms since the epoch. Default now. */
  readonly signedAtMs?: number
}

/** Signs the package in a folder as it is now. */
export async function signFolder(
  folder: string,
  { id = 'acme/slow', version, signedAtMs = Date.now() }: ToSign,
  key: KeyPair,
): Promise<void> {
  const [found] = await directoryFetcher().versions(folder, { signal })
  if (found?.place.kind !== 'directory') throw new Error(`there is no package in ${folder}`)
  const envelope = signPackage({ id, version, digest: found.place.digest, signedAtMs }, key.privateKey)
  await mkdir(join(folder, '.backplane'), { recursive: true })
  await writeFile(join(folder, '.backplane', 'release.json'), JSON.stringify(envelope))
}

/** Writes a provider package that `key` has signed. */
export async function writeSignedProvider(folder: string, plugin: SlowProvider, key: KeyPair): Promise<void> {
  await writeSlowProvider(folder, plugin)
  await signFolder(folder, plugin, key)
}

/** Packs a folder, its signatures too, as `npm pack` does: everything in one folder `package`. */
export function packFolder(folder: string, archive: string): string {
  execFileSync('tar', ['-czf', archive, '--transform', 's,^\\.,package,', '-C', folder, '.'])
  return archive
}

/** Writes a policy that trusts one new key with `acme/*`, and answers the key. */
export async function trustNewKey(policyFile: string): Promise<KeyPair> {
  const key = generateKey()
  const policy = {
    keys: { release: { publicKey: key.publicKey } },
    publishers: [{ name: 'Acme', ids: 'acme/*', signers: [{ key: 'release' }] }],
  }
  await writeFile(policyFile, JSON.stringify(policy))
  return key
}
