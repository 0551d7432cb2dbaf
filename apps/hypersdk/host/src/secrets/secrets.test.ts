import assert from 'node:assert/strict'
import { chmod, mkdir, mkdtemp, rm, symlink, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test, type TestContext } from 'node:test'
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

test('a secret is a file that only the daemon may read, or a prefixed variable', async (t) => {
  const directory = await secretsDirectory(t)
  await writeFile(join(directory, 'do-token'), 'from-file\n', { mode: 0o600 })
  const broker = secretBroker({ directory, environmentPrefix: 'P_' }, { P_OTHER_ONE: 'from-env' }, new Redactor())
  assert.equal(await broker.resolve('do-token', 'host'), 'from-file')
  assert.equal(await broker.resolve('other-one', 'host'), 'from-env')
  assert.equal(await broker.resolve('missing', 'host'), undefined)
  assert.equal(await broker.resolve('../do-token', 'host'), undefined)
})

test('a secret that others may read, or a link, is not taken', async (t) => {
  const directory = await secretsDirectory(t)
  await writeFile(join(directory, 'open'), 'x', { mode: 0o600 })
  await chmod(join(directory, 'open'), 0o640)
  await symlink('/etc/hostname', join(directory, 'link'))
  const broker = secretBroker({ directory, environmentPrefix: 'P_' }, {}, new Redactor())
  await assert.rejects(broker.resolve('open', 'host'), { code: 'CONFIG_SECRETS_EXPOSED' })
  assert.equal(await broker.resolve('link', 'host'), undefined)
  await chmod(directory, 0o755)
  await assert.rejects(broker.resolve('missing', 'host'), { code: 'CONFIG_SECRETS_EXPOSED' })
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
  await secretBroker({ directory: undefined, environmentPrefix: 'S_' }, { S_A: 'top secret' }, redactor).resolve('a', 'host')
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
