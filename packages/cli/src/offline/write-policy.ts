import { readFile, writeFile } from 'node:fs/promises'
import { basename } from 'node:path'
import { parseStrictJson } from '@backplane/sdk/strict-json'
import { readPolicy, signPolicy, signRoot, type PolicyRoot } from '@backplane/trust'
import { backplaneErrors } from '../errors.ts'
import { show, type Session } from '../session.ts'

const dayMs = 86_400_000
/** Nesting of a policy's values. */
const depthLimit = 32

/** Who may sign policies, and until when. */
export interface RootOptions {
  readonly key: readonly string[]
  readonly threshold: number
  readonly expires: number
  readonly out: string
}

/** With what a policy is signed, and until when it counts. */
export interface SignOptions {
  readonly key: readonly string[]
  readonly policyVersion: number
  readonly expires: number
  readonly out: string
}

/** Writes the first root of signed policies. Errors: `BACKPLANE_FILE_UNREADABLE`, `BACKPLANE_FILE_UNWRITABLE`. */
export async function writeRoot(session: Session, { key, threshold, expires, out }: RootOptions): Promise<void> {
  const keys = await Promise.all(key.map(async (file) => [basename(file, '.pub'), await textIn(file)] as const))
  const role = { keys: keys.map(([name]) => name), threshold }
  const root: PolicyRoot = {
    version: 1,
    expires: inDays(expires),
    keys: Object.fromEntries(keys),
    root: role,
    policy: role,
  }
  // signed by nobody, only read as strictly as hosts read it
  signRoot(root, [])
  await written(out, root)
  show(session, { out, keys: role.keys, threshold, expires: root.expires }, () => `${out}: until ${root.expires}\n`)
}

/** Signs a version of a policy. Errors: as {@link writeRoot}, `BACKPLANE_FILE_INVALID`, those of policies. */
export async function writePolicy(
  session: Session,
  file: string,
  { key, policyVersion: version, expires, out }: SignOptions,
): Promise<void> {
  const parsed = parseStrictJson(await textIn(file), depthLimit)
  if (parsed.kind !== 'value') {
    const hint = `Correct ${file}, and sign it then.`
    throw backplaneErrors.error('BACKPLANE_FILE_INVALID', { path: file, reason: 'it is no JSON that has one meaning', hint })
  }
  const document = {
    version,
    issued: new Date().toISOString(),
    expires: inDays(expires),
    policy: readPolicy(parsed.value),
  }
  const privateKeys = await Promise.all(key.map(textIn))
  await written(out, { policy: signPolicy(document, privateKeys) })
  show(session, { out, version, expires: document.expires }, () => `${out}: version ${version}, until ${document.expires}\n`)
}

async function textIn(path: string): Promise<string> {
  return readFile(path, 'utf8').catch((error: unknown) => {
    const reason = String(Reflect.get(Object(error), 'code') ?? error)
    throw backplaneErrors.error('BACKPLANE_FILE_UNREADABLE', { path, reason }, { cause: error })
  })
}

async function written(path: string, value: object): Promise<void> {
  await writeFile(path, `${JSON.stringify(value, undefined, 2)}\n`).catch((error: unknown) => {
    const reason = String(Reflect.get(Object(error), 'code') ?? error)
    throw backplaneErrors.error('BACKPLANE_FILE_UNWRITABLE', { path, reason }, { cause: error })
  })
}

function inDays(days: number): string {
  return new Date(Date.now() + days * dayMs).toISOString()
}
