import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { chmod, mkdir, readFile, symlink, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { test, type TestContext } from 'node:test'
import { setImmediate } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { temporaryDirectory } from '@backplane/testing'
import { commandSecrets, directorySecrets, environmentSecrets, firstSecret } from '../index.ts'

async function secretsDirectory(t: TestContext): Promise<string> {
  const secrets = join(await temporaryDirectory(t), 'secrets')
  await mkdir(secrets, { mode: 0o700 })
  return secrets
}

/** A program that runs a script. */
async function script(t: TestContext, text: string): Promise<string> {
  const path = join(await temporaryDirectory(t), 'program')
  await writeFile(path, `#!/bin/sh\n${text}\n`, { mode: 0o755 })
  return path
}

test('the first broker that has a secret answers, and names that are none reach nobody', async () => {
  const asked: string[] = []
  const broker = (has: string): ReturnType<typeof environmentSecrets> => ({
    resolve: async (name) => (asked.push(`${has} ${name}`), name === has ? `value of ${has}` : undefined),
  })
  const all = firstSecret([broker('a'), broker('b')])
  assert.equal(await all.resolve('a', 'demo/one'), 'value of a')
  assert.equal(await all.resolve('b', 'demo/one'), 'value of b')
  assert.equal(await all.resolve('c', 'demo/one'), undefined)
  assert.equal(await all.resolve('../a', 'demo/one'), undefined)
  assert.deepEqual(asked, ['a a', 'a b', 'b b', 'a c', 'b c'])
})

test('a secret is a prefixed variable, and no variable without the prefix', async () => {
  const broker = environmentSecrets({ P_DO_TOKEN: 'v', PATH: '/bin' }, 'P_')
  assert.equal(await broker.resolve('do-token', 'host'), 'v')
  assert.equal(await broker.resolve('PATH', 'host'), undefined)
  assert.equal(await environmentSecrets({}, '').resolve('constructor', 'host'), undefined)
})

test('a secret is a file that only the host may read, read anew each time; no link, folder, pipe or large file is taken', async (t) => {
  const directory = await secretsDirectory(t)
  const broker = directorySecrets(directory)
  const put = (name: string, text: string): Promise<void> => writeFile(join(directory, name), text, { mode: 0o600 })
  await put('token', 'first\n')
  assert.equal(await broker.resolve('token', 'host'), 'first')
  await put('token', 'second\r\n')
  assert.equal(await broker.resolve('token', 'host'), 'second')
  await symlink('/etc/hostname', join(directory, 'link'))
  await mkdir(join(directory, 'folder'))
  execFileSync('mkfifo', ['-m', '600', join(directory, 'pipe')])
  for (const name of ['link', 'folder', 'pipe', 'missing', '../token'])
    assert.equal(await broker.resolve(name, 'host'), undefined, name)
  await put('large', 'x'.repeat(64 * 1024 + 1))
  await assert.rejects(broker.resolve('large', 'host'), { code: 'SECRETS_FULL' })
  await chmod(join(directory, 'token'), 0o640)
  await assert.rejects(broker.resolve('token', 'host'), { code: 'SECRETS_EXPOSED' })
  await chmod(directory, 0o755)
  await assert.rejects(broker.resolve('missing', 'host'), { code: 'SECRETS_EXPOSED' })
})

test('a command is given the name as an argument, no shell, and of the environment only what is named', async (t) => {
  const program = await script(t, 'echo "[$1][$2][$HOME][$SECRET_HOME][$(/usr/bin/env | /usr/bin/wc -l)]"')
  const env = { SECRET_HOME: '/vault' }
  const last = await commandSecrets({ argv: [program, 'get'], env }).resolve('token', 'host')
  assert.match(last ?? '', /^\[get\]\[token\]\[\]\[\/vault\]/)
  const placed = await commandSecrets({ argv: [program, 'kv/{name}', '$(id)'], env }).resolve('token', 'host')
  assert.match(placed ?? '', /^\[kv\/token\]\[\$\(id\)\]/)
  assert.equal(await commandSecrets({ argv: [program] }).resolve('--help', 'host'), undefined, 'a name is never an option')
})

test('a command that prints nothing has no such secret; what fails, floods or hangs is an error without its output', async (t) => {
  const of = async (text: string, more = {}): Promise<string | undefined> =>
    commandSecrets({ argv: [await script(t, text)], ...more }).resolve('token', 'host')
  assert.equal(await of('exit 0'), undefined)
  assert.equal(await of('echo; echo two; echo'), '\ntwo\n')
  const failed = async (text: string, reason: RegExp, more = {}): Promise<void> => {
    const error: unknown = await of(text, more).catch((thrown: unknown) => thrown)
    assert.equal(Reflect.get(Object(error), 'code'), 'SECRET_COMMAND_FAILED')
    assert.match(String(error), reason)
    assert.ok(!JSON.stringify(error).includes('canary') && !String(Reflect.get(Object(error), 'stack')).includes('canary'))
  }
  await failed('echo canary; echo canary >&2; exit 3', /ended with 3/)
  await failed('while :; do echo canary; done', /more than 1000 bytes/, { maxBytes: 1_000 })
  const pidFile = join(await temporaryDirectory(t), 'pid')
  await failed(`/bin/sleep 600 & echo $! > ${pidFile}; echo canary; wait`, /longer than 300 ms/, { timeoutMs: 300 })
  const pid = (await readFile(pidFile, 'utf8')).trim()
  const state = (): Promise<string> => readFile(`/proc/${pid}/stat`, 'utf8').catch(() => 'gone')
  // What it started is ended with it, as soon as the system gets to that.
  while (!/^gone$|\) Z /.test(await state())) await setImmediate()
  await assert.rejects(commandSecrets({ argv: ['/nowhere/vault'] }).resolve('token', 'host'), { message: /ENOENT/ })
  await assert.rejects(commandSecrets({ argv: ['vault'] }).resolve('token', 'host'), { message: /absolute path/ })
})

test('a host that has no descriptor left is told so by whatever would start a program, and goes on', () => {
  const fixture = fileURLToPath(new URL('../fixtures/without-descriptors.ts', import.meta.url))
  const limited = ['-c', 'ulimit -n 64; exec "$@"', 'sh', process.execPath, '--conditions=@backplane/source', fixture]
  const told = execFileSync('/bin/sh', limited, { encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] })
  assert.equal(told, 'SECRET_COMMAND_FAILED SECRETS_KEY_UNUSABLE\n')
})
