import { basename } from 'node:path'
import { readPolicy, signPolicy, signRoot, type PolicyRoot } from '@backplane/trust'
import { show, type Session } from '../session.ts'
import { jsonText, readJson, readText, writeText } from './file-text.ts'

const dayMs = 86_400_000

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
  const keys = await Promise.all(key.map(async (file) => [basename(file, '.pub'), await readText(file)] as const))
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
  await writeText(out, jsonText(root))
  show(session, { out, keys: role.keys, threshold, expires: root.expires }, () => `${out}: until ${root.expires}\n`)
}

/** Signs a version of a policy. Errors: as {@link writeRoot}, `BACKPLANE_FILE_INVALID`, those of policies. */
export async function writePolicy(
  session: Session,
  file: string,
  { key, policyVersion: version, expires, out }: SignOptions,
): Promise<void> {
  const written = await readJson(file, `Correct ${file}, and sign it then.`)
  const document = {
    version,
    issued: new Date().toISOString(),
    expires: inDays(expires),
    policy: readPolicy(written),
  }
  const privateKeys = await Promise.all(key.map((path) => readText(path)))
  await writeText(out, jsonText({ policy: signPolicy(document, privateKeys) }))
  show(session, { out, version, expires: document.expires }, () => `${out}: version ${version}, until ${document.expires}\n`)
}

function inDays(days: number): string {
  return new Date(Date.now() + days * dayMs).toISOString()
}
