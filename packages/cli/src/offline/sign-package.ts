import { createPublicKey } from 'node:crypto'
import { chmod, mkdir, rm, stat, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { generateKey, keyId, signPackage } from '@backplane/trust'
import { backplaneErrors } from '../errors.ts'
import { show, type Session } from '../session.ts'
import { addToArchive } from './add-to-archive.ts'
import { jsonText, readText, systemCode, unwritable, writeText } from './file-text.ts'
import { readPackage } from './read-package.ts'

/** Makes a key pair in two files that were not there, or neither. Errors: `BACKPLANE_FILE_EXISTS`, `BACKPLANE_FILE_UNWRITABLE`. */
export async function makeKey(session: Session, name: string): Promise<void> {
  const { id, publicKey, privateKey } = generateKey()
  await writeNew(`${name}.key`, privateKey, 0o600)
  await writeNew(`${name}.pub`, publicKey, 0o644).catch(async (error: unknown) => {
    // Half a pair would keep the next from being made.
    await rm(`${name}.key`, { force: true })
    throw error
  })
  show(session, { id, private_key: `${name}.key`, public_key: `${name}.pub` }, () => `${name}.key and ${name}.pub: ${id}\n`)
}

/** Signs a folder or an archive, in place. Errors: `BACKPLANE_FILE_UNREADABLE`, `BACKPLANE_FILE_UNWRITABLE`, those of packages. */
export async function signAt(session: Session, path: string, { key }: { readonly key: string }): Promise<void> {
  const privateKey = await readText(key)
  const { id, version, fetched } = await readPackage(path)
  const { digest } = fetched.tree
  const envelope = signPackage({ id, version, digest, signedAtMs: Date.now() }, privateKey)
  const by = keyId(createPublicKey(privateKey).export({ type: 'spki', format: 'pem' }))
  const name = `${by.slice('sha256:'.length, 'sha256:'.length + 16)}.json`
  if ((await stat(path)).isDirectory()) {
    const folder = join(path, '.backplane')
    await mkdir(folder, { recursive: true }).catch(unwritable(folder))
    await writeText(join(folder, name), jsonText(envelope))
  } else {
    await addToArchive(path, `.backplane/${name}`, jsonText(envelope))
    const { fetched: signed } = await readPackage(path)
    if (signed.tree.digest !== digest) throw new TypeError('signing changed what was signed')
  }
  show(
    session,
    { id, version, digest, key: by, file: `.backplane/${name}` },
    () => `${id} ${version} signed with ${by} (.backplane/${name})\n`,
  )
}

async function writeNew(path: string, text: string, mode: number): Promise<void> {
  await writeFile(path, text, { flag: 'wx', mode }).catch((error: unknown) => {
    if (systemCode(error) === 'EEXIST') throw backplaneErrors.error('BACKPLANE_FILE_EXISTS', { path })
    return unwritable(path)(error)
  })
  await chmod(path, mode).catch(unwritable(path))
}
