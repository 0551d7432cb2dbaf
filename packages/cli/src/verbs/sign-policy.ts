import { readFile, writeFile } from 'node:fs/promises'
import { basename } from 'node:path'
import { parseStrictJson } from '@backplane/sdk/strict-json'
import { readPolicy, signPolicy, signRoot, type PolicyRoot } from '@backplane/trust'
import { InvalidArgumentError, type Command } from 'commander'
import { backplaneErrors } from '../errors.ts'
import { show, type Runner, type Session } from '../session.ts'
import { examples } from './examples.ts'

const dayMs = 86_400_000
/** Nesting of a policy's values. */
const depthLimit = 32

interface RootOptions {
  readonly key: readonly string[]
  readonly threshold: number
  readonly expires: number
  readonly out: string
}

interface SignOptions {
  readonly key: readonly string[]
  readonly policyVersion: number
  readonly expires: number
  readonly out: string
}

/** Adds `root` and `sign` to `trust`. */
export function addSignPolicy(trust: Command, run: Runner): void {
  const root = trust
    .command('root')
    .description('write the first root of a signed policy: who may sign it. It is installed on each host by hand')
    .requiredOption('--key <files...>', 'public keys, as keygen made them, each named after its file')
    .option('--threshold <count>', 'how many of them must sign', count, 1)
    .option('--expires <days>', 'days until hosts take it no more', count, 365)
    .requiredOption('-o, --out <file>', 'where to')
  examples(root, [
    'trust root --key ops.pub --out trust-root.json',
    'trust root --key ops-a.pub ops-b.pub --threshold 2 -o root.json',
  ])
  root.action(run(writeRoot))
  const sign = trust
    .command('sign <policy>')
    .description('sign a version of a policy: hosts take it until it expires, and then only a newer one')
    .requiredOption('--key <files...>', 'private keys of those whom the root names')
    .requiredOption('--policy-version <number>', 'greater than that of every policy before it', count)
    .option('--expires <days>', 'days until hosts take it no more', count, 30)
    .requiredOption('-o, --out <file>', 'where to')
  examples(
    sign,
    ['trust sign trust.json --key ops.key --policy-version 7 --out policy.json'],
    'Name both files in the configuration of a host: plugins.trust_policy: { file: policy.json, root: trust-root.json }',
  )
  sign.action(run(writePolicy))
}

async function writeRoot(session: Session, { key, threshold, expires, out }: RootOptions): Promise<void> {
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

async function writePolicy(
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

function count(text: string): number {
  if (/^[1-9]\d{0,8}$/.test(text)) return Number(text)
  throw new InvalidArgumentError('It must be a whole number of at least 1.')
}
