import assert from 'node:assert/strict'
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test, type TestContext } from 'node:test'
import { encryptedSecrets, keyFile } from '@backplane/storage'
import { Secrets, secretsConfig } from '../config/secrets-schema.ts'
import { Redactor } from './redactor.ts'
import { resolveHandles } from './resolve-handles.ts'
import { secretBroker } from './secret-broker.ts'

async function secretsDirectory(t: TestContext): Promise<string> {
  const directory = await mkdtemp(join(tmpdir(), 'hypersdk-secrets-'))
  t.after(() => rm(directory, { recursive: true, force: true }))
  const secrets = join(directory, 'secrets')
  await mkdir(secrets, { mode: 0o700 })
  return secrets
}

const config = secretsConfig(Secrets.parse({}), (path) => path)

test('a secret is looked up in each place in the order that is set, anew each time, and known to the redactor', async (t) => {
  const directory = await secretsDirectory(t)
  const program = join(directory, '..', 'program')
  await writeFile(program, '#!/bin/sh\nif [ "$1" = by-command ]; then echo "$VAULT-canary"; fi\n', { mode: 0o755 })
  const [file, keyPath] = [join(directory, '..', 'secrets.json'), join(directory, '..', 'key')]
  const stored = encryptedSecrets(file, keyFile(keyPath))
  await stored.set('both', 'from-store')
  await stored.set('stored', 'sealed-canary')
  await writeFile(join(directory, 'both'), 'from-file\n', { mode: 0o600 })
  const all = {
    ...config,
    directory,
    environmentPrefix: 'P_',
    encrypted: { file, keyFile: keyPath, keyring: '' },
    command: { argv: [program], environment: ['VAULT'], timeoutMs: 10_000, maxBytes: 1_000 },
  }
  const redactor = new Redactor()
  const env = { P_BOTH: 'from-env', P_OTHER_ONE: 'only-env', VAULT: 'v' }
  const broker = secretBroker(all, env, redactor)
  const got = async (name: string): Promise<string | undefined> => broker.resolve(name, 'host')
  assert.deepEqual(await Promise.all(['both', 'other-one', 'stored', 'by-command', 'missing', '../both'].map(got)), [
    'from-file',
    'only-env',
    'sealed-canary',
    'v-canary',
    undefined,
    undefined,
  ])
  assert.equal(redactor.text('v-canary, sealed-canary'), '[redacted], [redacted]')
  const turned = secretBroker({ ...all, order: ['encrypted', 'files'] }, env, redactor)
  assert.deepEqual([await turned.resolve('both', 'host'), await turned.resolve('other-one', 'host')], ['from-store', undefined])
})

test('the configuration of secrets says what is wrong with it', () => {
  const problems = (secrets: unknown): readonly string[] =>
    Secrets.safeParse(secrets).error?.issues.map(({ path, message }) => `${path.join('.')}: ${message}`) ?? []
  assert.deepEqual(problems({ encrypted: { file: 'x' } }), ['encrypted: needs either key_file or keyring'])
  assert.deepEqual(problems({ command: { argv: ['vault'] } }), ['command.argv: must begin with an absolute path'])
  assert.match(problems({ allow: { slow: ['*'] } })[0] ?? '', /^allow\.slow\.0: must be the name of a secret/)
})

test('handles are replaced in every text, and one without a value is named with its path', async () => {
  const broker = { resolve: async (name: string) => (name === 'known' ? 'v4lue' : undefined) }
  const from = { env: { HOST: 'h1' }, broker }
  const value = { url: 'https://${env:HOST}/x', metadata: { token: 'Bearer ${secret:known}', list: ['${env:HOST}', 3] } }
  assert.deepEqual(await resolveHandles(value, 'providers.do', from), {
    url: 'https://h1/x',
    metadata: { token: 'Bearer v4lue', list: ['h1', 3] },
  })
  await assert.rejects(resolveHandles({ metadata: { token: '${secret:unknown}' } }, 'providers.do', from), {
    code: 'CONFIG_HANDLE_UNRESOLVED',
    message: 'providers.do.metadata.token names ${secret:unknown}, which has no value',
  })
})

test('a secret that was given out is blanked in texts, also encoded', async () => {
  const redactor = new Redactor()
  await secretBroker({ ...config, environmentPrefix: 'S_' }, { S_A: 'top secret' }, redactor).resolve('a', 'host')
  assert.equal(redactor.text('say top secret or top%20secret'), 'say [redacted] or [redacted]')
  const base64 = Buffer.from('top secret').toString('base64')
  assert.deepEqual(redactor.value({ a: [`Basic ${base64}`], n: 1 }), { a: ['Basic [redacted]'], n: 1 })
})

test('a secret within another leaves nothing of it, and one in JSON is found by its escaped form', () => {
  const redactor = new Redactor()
  assert.ok(redactor.isEmpty)
  redactor.learn('hunter')
  redactor.learn('hunter-and-more')
  redactor.learn('with "quotes"')
  assert.equal(redactor.text('hunter-and-more, hunter'), '[redacted], [redacted]')
  assert.equal(redactor.text(JSON.stringify({ a: 'with "quotes"' })), '{"a":"[redacted]"}')
  redactor.learn('short')
  assert.equal(redactor.text('short'), 'short', 'below six characters a value is an ordinary word')
})
