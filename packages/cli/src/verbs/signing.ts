import { chmod, mkdir, readFile, stat, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { generateKey, keyId, signPackage } from '@backplane/trust'
import type { Command } from 'commander'
import { createPublicKey } from 'node:crypto'
import { backplaneErrors } from '../errors.ts'
import { addToArchive } from '../offline/add-to-archive.ts'
import { readPackage } from '../offline/read-package.ts'
import { show, type Runner, type Session } from '../session.ts'
import { examples } from './examples.ts'

/** Adds `keygen` and `sign`. */
export function addSigning(program: Command, run: Runner): void {
  const keygen = program
    .command('keygen [name]')
    .description('make an Ed25519 key to sign packages with: <name>.key, for yourself alone, and <name>.pub, for policies')
  examples(keygen, ['keygen', 'keygen acme-release'], 'Whoever can read the .key can publish; keep it where nobody else does.')
  keygen.action(run((session, name: string | undefined) => makeKey(session, name ?? 'release')))
  const sign = program
    .command('sign <package>')
    .description('sign the package in a folder or a .tgz; the signature goes into .backplane/ in it')
    .requiredOption('--key <file>', 'the private key, as keygen made it')
  examples(
    sign,
    ['sign ./s3 --key release.key', 'sign s3-1.2.0.tgz --key release.key'],
    'It is over every file of the package but those with a dot in front: sign last, and again after each change.',
  )
  sign.action(run(signAt))
}

async function makeKey(session: Session, name: string): Promise<void> {
  const { id, publicKey, privateKey } = generateKey()
  await writeNew(`${name}.key`, privateKey, 0o600)
  await writeNew(`${name}.pub`, publicKey, 0o644)
  show(session, { id, private_key: `${name}.key`, public_key: `${name}.pub` }, () => `${name}.key and ${name}.pub: ${id}\n`)
}

async function signAt(session: Session, path: string, { key }: { readonly key: string }): Promise<void> {
  const privateKey = await readFile(key, 'utf8').catch((error: unknown) => {
    throw backplaneErrors.error('BACKPLANE_FILE_UNREADABLE', { path: key, reason: reasonOf(error) }, { cause: error })
  })
  const { id, version, fetched } = await readPackage(path)
  const { digest } = fetched.tree
  const envelope = signPackage({ id, version, digest, signedAtMs: Date.now() }, privateKey)
  const by = keyId(createPublicKey(privateKey).export({ type: 'spki', format: 'pem' }))
  const name = `${by.slice('sha256:'.length, 'sha256:'.length + 16)}.json`
  const text = `${JSON.stringify(envelope, undefined, 2)}\n`
  if ((await stat(path)).isDirectory()) {
    const folder = join(path, '.backplane')
    await mkdir(folder, { recursive: true })
    await write(join(folder, name), text)
  } else {
    await addToArchive(path, `.backplane/${name}`, text)
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
    if (reasonOf(error) === 'EEXIST') throw backplaneErrors.error('BACKPLANE_FILE_EXISTS', { path })
    throw backplaneErrors.error('BACKPLANE_FILE_UNWRITABLE', { path, reason: reasonOf(error) }, { cause: error })
  })
  await chmod(path, mode)
}

async function write(path: string, text: string): Promise<void> {
  await writeFile(path, text).catch((error: unknown) => {
    throw backplaneErrors.error('BACKPLANE_FILE_UNWRITABLE', { path, reason: reasonOf(error) }, { cause: error })
  })
}

function reasonOf(error: unknown): string {
  return String(Reflect.get(Object(error), 'code') ?? error)
}
