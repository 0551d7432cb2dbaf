import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { readFile, readdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { text } from 'node:stream/consumers'
import { test, type TestContext } from 'node:test'
import { fileURLToPath } from 'node:url'
import { encryptedSecrets, keyFile } from '@backplane/storage'
import { compiledCode, temporaryDirectory } from '@backplane/testing'
import { backplane, type Ran } from './fixtures/run-backplane.ts'

interface Bed {
  readonly directory: string
  readonly env: Readonly<Record<string, string>>
  readonly run: (args: string, input?: string) => Promise<Ran>
}

async function bed(t: TestContext): Promise<Bed> {
  const directory = await temporaryDirectory(t)
  const env = {
    BACKPLANE_SECRETS_STORE: join(directory, 'secrets.json'),
    BACKPLANE_SECRETS_KEY_FILE: join(directory, 'secrets.key'),
  }
  const run = (args: string, input = ''): Promise<Ran> => backplane(['secrets', ...args.split(' ')], { env, input })
  return { directory, env, run }
}

test('secrets are set, listed by name, removed, and encrypted anew, and no value is printed', async (t) => {
  const { directory, env, run } = await bed(t)
  const ran = [
    await run('set do-token', 'canary-1'),
    await run('set other', 'canary-2'),
    await run('list'),
    await run('rotate-key'),
    await run('remove other'),
    await run('list --json'),
  ]
  assert.deepEqual(
    ran.map(({ code, out }) => [code, out]),
    [
      [0, 'do-token set\n'],
      [0, 'other set\n'],
      [0, 'do-token\nother\n'],
      [0, '2 secrets are encrypted with a new key\n'],
      [0, 'other removed\n'],
      [0, '{\n  "secrets": [\n    "do-token"\n  ]\n}\n'],
    ],
  )
  const store = encryptedSecrets(env['BACKPLANE_SECRETS_STORE'] ?? '', keyFile(env['BACKPLANE_SECRETS_KEY_FILE'] ?? ''))
  assert.equal(await store.resolve('do-token', 'host'), 'canary-1')
  const files = await Promise.all((await readdir(directory)).map((name) => readFile(join(directory, name), 'utf8')))
  assert.ok(!JSON.stringify([ran, files]).includes('canary'))
})

test('a value comes by standard input, whole, and by no argument', async (t) => {
  const { env } = await bed(t)
  const program = fileURLToPath(new URL('./backplane.ts', import.meta.url))
  const args = ['--conditions=@backplane/source', program, 'secrets', 'set', 'tls-key']
  const child = spawn(process.execPath, args, { env: { ...compiledCode, ...env }, stdio: ['pipe', 'pipe', 'inherit'] })
  child.stdin.end('-----BEGIN-----\nline two\n')
  assert.equal(await text(child.stdout), 'tls-key set\n')
  const store = encryptedSecrets(env['BACKPLANE_SECRETS_STORE'] ?? '', keyFile(env['BACKPLANE_SECRETS_KEY_FILE'] ?? ''))
  assert.equal(await store.resolve('tls-key', 'host'), '-----BEGIN-----\nline two')
  const argument = await backplane(['secrets', 'set', 'x', 'canary'], { env })
  assert.deepEqual([argument.code, argument.err.includes('canary')], [2, false])
})

test('what is missing or does not fit is said with its code', async (t) => {
  const { directory, env, run } = await bed(t)
  const failed = async (ran: Promise<Ran>): Promise<readonly unknown[]> => {
    const { code, err } = await ran
    return [code, err.split(':')[0]]
  }
  assert.deepEqual(await failed(run('set token')), [2, 'BACKPLANE_USAGE'])
  assert.deepEqual(await failed(run('set ../token', 'x')), [2, 'SECRET_NAME_INVALID'])
  assert.deepEqual(await failed(run('remove token')), [66, 'SECRET_UNKNOWN'])
  assert.deepEqual(await failed(backplane(['secrets', 'list'])), [2, 'BACKPLANE_USAGE'])
  assert.deepEqual(await failed(backplane(['secrets', 'list', '--store', 'x'])), [2, 'BACKPLANE_USAGE'])
  await run('set token', 'x')
  const other = join(directory, 'other.key')
  await writeFile(other, Buffer.alloc(32).toString('base64'), { mode: 0o600 })
  assert.deepEqual(await failed(run(`list --key-file ${other}`)), [78, 'SECRETS_KEY_WRONG'])
  await writeFile(env['BACKPLANE_SECRETS_STORE'] ?? '', '{')
  assert.deepEqual(await failed(run('list')), [65, 'SECRETS_FILE_DAMAGED'])
  for (const verb of ['set', 'list', 'remove', 'rotate-key']) {
    assert.match((await run(`${verb} --help`)).out, new RegExp(`Examples:\\n  backplane secrets ${verb}`))
  }
})
