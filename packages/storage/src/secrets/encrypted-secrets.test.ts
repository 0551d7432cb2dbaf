import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { chmod, copyFile, mkdir, readFile, readdir, rm, stat, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { test, type TestContext } from 'node:test'
import { fileURLToPath } from 'node:url'
import { temporaryDirectory } from '@backplane/testing'
import { encryptedSecrets, keyFile, keyringKey, type EncryptedSecrets, type SecretsKey } from '../index.ts'
import { seal, unseal } from './secrets-text.ts'

interface Bed {
  readonly directory: string
  readonly path: string
  readonly keyPath: string
  readonly key: SecretsKey
  readonly secrets: EncryptedSecrets
}

async function bed(t: TestContext): Promise<Bed> {
  const directory = await temporaryDirectory(t)
  const [path, keyPath] = [join(directory, 'secrets.json'), join(directory, 'keys', 'secrets.key')]
  const key = keyFile(keyPath)
  return { directory, path, keyPath, key, secrets: encryptedSecrets(path, key) }
}

const get = (secrets: EncryptedSecrets, name: string): Promise<string | undefined> => secrets.resolve(name, 'demo/one')

test('what is set is found again, also by another process, and stands nowhere in the open', async (t) => {
  const { path, keyPath, secrets, directory } = await bed(t)
  assert.equal(await get(secrets, 'token'), undefined)
  await secrets.set('token', 'canary-1f0e')
  await secrets.set('other.one', 'with\n"everything" ☂')
  const again = encryptedSecrets(path, keyFile(keyPath))
  assert.equal(await get(again, 'token'), 'canary-1f0e')
  assert.equal(await get(again, 'other.one'), 'with\n"everything" ☂')
  assert.deepEqual(await again.list(), ['other.one', 'token'])
  assert.equal(await get(again, 'missing'), undefined)
  assert.equal(await get(again, 'constructor'), undefined)
  await again.remove('other.one')
  assert.deepEqual(await secrets.list(), ['token'])
  for (const file of [path, keyPath]) assert.equal((await stat(file)).mode & 0o777, 0o600)
  assert.ok(!(await readFile(path, 'utf8')).includes('canary'))
  assert.deepEqual(
    (await readdir(directory)).toSorted(),
    ['keys', 'secrets.json', 'secrets.json.mutex'],
    'nothing else is left beside',
  )
})

test('one value sealed twice looks different, and opens only under its name, in its file, with its key', () => {
  const [key, other] = [Buffer.alloc(32, 1), Buffer.alloc(32, 2)]
  const [first, second] = [seal('v', 'a', 'file', key), seal('v', 'a', 'file', key)]
  assert.notDeepEqual(first, second)
  assert.equal(unseal(first, 'a', 'file', key), 'v')
  assert.deepEqual(
    [unseal(first, 'b', 'file', key), unseal(first, 'a', 'else', key), unseal(first, 'a', 'file', other)],
    [undefined, undefined, undefined],
  )
  assert.equal(unseal({ ...first, tag: first.tag.slice(0, 4) }, 'a', 'file', key), undefined, 'a short tag proves nothing')
})

test('another key, a missing and a broken one are refused', async (t) => {
  const { path, directory, keyPath, secrets } = await bed(t)
  await secrets.set('token', 'value')
  const other = encryptedSecrets(join(directory, 'other.json'), keyFile(join(directory, 'other.key')))
  await other.set('x', 'y')
  await assert.rejects(get(encryptedSecrets(path, keyFile(join(directory, 'other.key'))), 'token'), { code: 'SECRETS_KEY_WRONG' })
  await assert.rejects(get(encryptedSecrets(path, keyFile(join(directory, 'none.key'))), 'token'), {
    code: 'SECRETS_KEY_UNUSABLE',
  })
  await writeFile(keyPath, 'short')
  await assert.rejects(get(secrets, 'token'), { code: 'SECRETS_KEY_UNUSABLE' })
})

test('files that others may read are refused', async (t) => {
  for (const which of ['path', 'keyPath'] as const) {
    const made = await bed(t)
    await made.secrets.set('token', 'value')
    await chmod(made[which], 0o640)
    await assert.rejects(get(made.secrets, 'token'), { code: 'SECRETS_EXPOSED' })
  }
})

test('a file cut at any place is refused as damaged', async (t) => {
  const { path, secrets } = await bed(t)
  await secrets.set('token', 'value')
  const whole = await readFile(path, 'utf8')
  for (let length = 0; length < whole.length - 1; length += 13) {
    await writeFile(path, whole.slice(0, length))
    await assert.rejects(get(secrets, 'token'), { code: 'SECRETS_FILE_DAMAGED' }, String(length))
  }
})

test('entries that were swapped, removed, added or taken from elsewhere are refused', async (t) => {
  const { path, directory, secrets } = await bed(t)
  await secrets.set('a', 'value of a')
  await secrets.set('b', 'value of b')
  const whole = JSON.parse(await readFile(path, 'utf8'))
  const { a, b } = whole.entries
  const foreign = encryptedSecrets(join(directory, 'other.json'), keyFile(join(directory, 'keys', 'secrets.key')))
  await rm(join(directory, 'keys', 'secrets.key.generation'))
  await foreign.set('a', 'value of another file')
  const other = JSON.parse(await readFile(join(directory, 'other.json'), 'utf8'))
  await rm(join(directory, 'keys', 'secrets.key.generation'))
  const changes = [
    { ...whole, entries: { a: b, b: a } },
    { ...whole, entries: { a } },
    { ...whole, entries: { a, b, c: a } },
    { ...whole, entries: { a: other.entries.a, b } },
    { ...whole, generation: 99 },
    { ...whole, mac: 'x' },
  ]
  for (const changed of changes) {
    await writeFile(path, JSON.stringify(changed))
    await assert.rejects(get(secrets, 'a'), { code: 'SECRETS_FILE_CHANGED' })
    await assert.rejects(secrets.list(), { code: 'SECRETS_FILE_CHANGED' })
  }
})

test('an older file in the place of a newer one, or none, is refused', async (t) => {
  const { path, directory, keyPath, secrets } = await bed(t)
  await secrets.set('token', 'old, and revoked since')
  await copyFile(path, join(directory, 'backup'))
  await secrets.set('token', 'new')
  await copyFile(join(directory, 'backup'), path)
  await assert.rejects(get(secrets, 'token'), { code: 'SECRETS_FILE_ROLLED_BACK', message: /generation 1; generation 2/ })
  await assert.rejects(secrets.set('token', 'x'), { code: 'SECRETS_FILE_ROLLED_BACK' })
  await rm(path)
  await assert.rejects(get(secrets, 'token'), { code: 'SECRETS_FILE_ROLLED_BACK' })
  await rm(`${keyPath}.generation`)
  await copyFile(join(directory, 'backup'), path)
  assert.equal(await get(secrets, 'token'), 'old, and revoked since', 'the operator can say that it is right')
})

test('a new key opens everything, the old one nothing; killed in between, what is there can be opened', async (t) => {
  const { path, keyPath, key, secrets } = await bed(t)
  await secrets.set('a', '1')
  await secrets.set('b', '2')
  const [old = new Uint8Array()] = await key.load()
  let saves = 0
  const dying: SecretsKey = {
    ...key,
    save: (keys) => {
      saves += 1
      return saves === 2 ? Promise.reject(new Error('killed')) : key.save(keys)
    },
  }
  await assert.rejects(encryptedSecrets(path, dying).rotateKey())
  assert.equal((await key.load()).length, 2)
  assert.deepEqual([await get(secrets, 'a'), await get(secrets, 'b')], ['1', '2'])
  await secrets.rotateKey()
  assert.equal((await key.load()).length, 1)
  assert.deepEqual([await get(secrets, 'a'), await get(secrets, 'b')], ['1', '2'])
  await mkdir(join(keyPath, '..', 'old'))
  const former = keyFile(join(keyPath, '..', 'old', 'key'))
  await former.save([old])
  await assert.rejects(get(encryptedSecrets(path, former), 'a'), { code: 'SECRETS_KEY_WRONG' })
})

test('a secret that is read while everything is encrypted anew is found all the same', async (t) => {
  const { path, key, secrets } = await bed(t)
  await secrets.set('a', '1')
  let looks = 0
  const slow: SecretsKey = {
    ...key,
    load: async () => {
      looks += 1
      if (looks === 1) await secrets.rotateKey()
      return key.load()
    },
  }
  assert.equal(await get(encryptedSecrets(path, slow), 'a'), '1')
})

test('names that are none, unknown ones, and what is too large are refused', async (t) => {
  const { secrets } = await bed(t)
  for (const name of ['', '../x', '-x', 'a b', 'x'.repeat(129)]) {
    await assert.rejects(secrets.set(name, 'v'), { code: 'SECRET_NAME_INVALID' }, name)
    assert.equal(await get(secrets, name), undefined)
  }
  await assert.rejects(secrets.remove('none'), { code: 'SECRET_UNKNOWN' })
  await assert.rejects(secrets.set('large', 'x'.repeat(64 * 1024 + 1)), { code: 'SECRETS_FULL' })
})

test('two changes at once are told apart, and one that was killed at any moment is in nobody’s way', async (t) => {
  const { path, keyPath, secrets } = await bed(t)
  const results = await Promise.allSettled([secrets.set('a', '1'), secrets.set('b', '2')])
  const refused = results.flatMap((one) => (one.status === 'rejected' ? [Reflect.get(Object(one.reason), 'code')] : []))
  assert.deepEqual(refused, ['SECRETS_BUSY'])
  const change = fileURLToPath(new URL('../fixtures/change-for-ever.ts', import.meta.url))
  const other = spawn(process.execPath, ['--conditions=@backplane/source', change, path, keyPath], {
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  await once(other.stdout, 'data')
  await assert.rejects(secrets.set('c', '3'), { code: 'SECRETS_BUSY', message: /by somebody else/ })
  other.kill('SIGKILL')
  await once(other, 'close')
  await secrets.set('c', '3')
  assert.equal((await stat(`${path}.mutex`)).mode & 0o777, 0o600)
})

test('a key in a keyring is kept by secret-tool; without one, or without secret-tool, that is said', async (t) => {
  const directory = await temporaryDirectory(t)
  const tool = join(directory, 'secret-tool')
  // As secret-tool does it: attributes name an item, its value is read from standard input.
  await writeFile(
    tool,
    `#!/bin/sh
verb=$1; shift
[ "$verb" = store ] && shift
file="${directory}/$(echo "$@" | tr -c 'a-z\\n' _)"
case $verb in store) cat > "$file" ;; lookup) [ -f "$file" ] && cat "$file" ;; esac
`,
    { mode: 0o755 },
  )
  const secrets = encryptedSecrets(join(directory, 'secrets.json'), keyringKey('demo', tool))
  await secrets.set('token', 'value')
  await secrets.rotateKey()
  assert.equal(await get(secrets, 'token'), 'value')
  const none = encryptedSecrets(join(directory, 'secrets.json'), keyringKey('demo', join(directory, 'no-such-tool')))
  await assert.rejects(get(none, 'token'), { code: 'SECRETS_KEY_UNUSABLE', message: /cannot be run \(ENOENT\)/ })
  await writeFile(tool, '#!/bin/sh\necho "Cannot autolaunch D-Bus" >&2; exit 1\n')
  await assert.rejects(get(secrets, 'token'), { code: 'SECRETS_KEY_UNUSABLE', message: /D-Bus/ })
})
