import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { existsSync } from 'node:fs'
import { mkdir, readFile, stat, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { test, type TestContext } from 'node:test'
import { requireProgram, temporaryDirectory } from '@backplane/testing'
import { backplane } from './fixtures/run-backplane.ts'

interface Bench {
  readonly root: string
  readonly folder: string
  readonly policy: string
  readonly key: string
}

/** A package, and a policy that trusts a key that `keygen` made. */
async function bench(t: TestContext): Promise<Bench> {
  const root = await temporaryDirectory(t)
  const folder = join(root, 's3')
  await mkdir(folder)
  await writeFile(
    join(folder, 'plugin.json'),
    JSON.stringify({ schemaVersion: 1, id: 'acme/s3', version: '1.2.0', requires: { api: '^1.0.0' } }),
  )
  await writeFile(join(folder, 'index.js'), 'export default {}\n')
  const made = await backplane(['keygen', join(root, 'release')])
  assert.equal(made.code, 0, made.err)
  const policy = join(root, 'trust.json')
  const publicKey = await readFile(join(root, 'release.pub'), 'utf8')
  const publishers = [{ name: 'Acme', ids: 'acme/*', signers: [{ key: 'release' }] }]
  await writeFile(policy, JSON.stringify({ keys: { release: { publicKey } }, publishers }))
  return { root, folder, policy, key: join(root, 'release.key') }
}

test('a folder that was signed may run by the policy that trusts the key, until a byte of it is another', async (t) => {
  const { folder, policy, key } = await bench(t)
  const before = await backplane(['verify', folder, '--policy', policy])
  assert.deepEqual([before.code, /✗ signature/.test(before.out)], [1, true], before.out)
  const signed = await backplane(['sign', folder, '--key', key])
  assert.match(signed.out, /^acme\/s3 1\.2\.0 signed with sha256:/)
  const after = JSON.parse((await backplane(['verify', folder, '--policy', policy, '--json'])).out)
  assert.deepEqual([after.ok, after.publisher, after.version], [true, 'Acme', '1.2.0'])
  assert.equal((await backplane(['verify', folder])).code, 1, 'without a policy nobody is trusted')
  await writeFile(join(folder, 'index.js'), 'export default {} // other\n')
  assert.equal((await backplane(['verify', folder, '--policy', policy])).code, 1)
  await backplane(['sign', folder, '--key', key])
  assert.equal((await backplane(['verify', folder, '--policy', policy])).code, 0, 'it can be signed again')
})

test('a signature is put into a .tgz beside its manifest, and changes nothing else of it', async (t) => {
  if (!requireProgram(t, 'tar', 'tar')) return
  const { root, folder, policy, key } = await bench(t)
  const archive = join(root, 's3.tgz')
  execFileSync('tar', ['-czf', archive, '-C', root, 's3'])
  const list = (): string[] => execFileSync('tar', ['-tzf', archive], { encoding: 'utf8' }).trim().split('\n')
  const before = list()
  assert.equal((await backplane(['sign', archive, '--key', key])).code, 0)
  assert.equal((await backplane(['verify', archive, '--policy', policy])).code, 0)
  const added = list().filter((name) => !before.includes(name))
  assert.equal(added.length, 1)
  assert.match(added[0] ?? '', /^s3\/\.backplane\/[0-9a-f]{16}\.json$/)
  const again = await backplane(['sign', archive, '--key', key])
  assert.deepEqual([again.code, /^BACKPLANE_FILE_INVALID: .*signed with this key already/.test(again.err)], [65, true], again.err)
  assert.equal(folder.length > 0, true)
})

test('a key is for its owner alone and is never written over', async (t) => {
  const { root, key } = await bench(t)
  assert.equal((await stat(key)).mode & 0o777, 0o600)
  const text = await readFile(key, 'utf8')
  const again = await backplane(['keygen', join(root, 'release')])
  assert.deepEqual([again.code, again.err.split(':')[0]], [73, 'BACKPLANE_FILE_EXISTS'])
  assert.equal(await readFile(key, 'utf8'), text)
  await writeFile(join(root, 'half.pub'), 'of somebody')
  assert.equal((await backplane(['keygen', join(root, 'half')])).code, 73)
  assert.equal(existsSync(join(root, 'half.key')), false, 'no half of a pair is left')
})

test('what is not there, or is no package, no key and no policy, is told as that', async (t) => {
  const { root, folder, key } = await bench(t)
  const missing = join(root, 'nowhere')
  const twice = join(root, 'twice.json')
  await writeFile(twice, '{"deny": ["acme/*"], "deny": []}')
  const wrong: readonly (readonly [args: string[], code: number, error: RegExp])[] = [
    [['verify', missing], 66, /^BACKPLANE_FILE_UNREADABLE/],
    [['sign', missing, '--key', key], 66, /^BACKPLANE_FILE_UNREADABLE/],
    [['sign', folder, '--key', missing], 66, /^BACKPLANE_FILE_UNREADABLE/],
    [['sign', folder, '--key', join(folder, 'plugin.json')], 65, /^TRUST_KEY_INVALID/],
    [['verify', folder, '--policy', key], 65, /^BACKPLANE_FILE_INVALID/],
    [['verify', folder, '--policy', twice], 65, /^BACKPLANE_FILE_INVALID: .*one meaning/],
    [['verify', key], 65, /^ARCHIVE_FORMAT_UNKNOWN/],
    [['sign', folder], 2, /^BACKPLANE_USAGE/],
  ]
  for (const [args, code, error] of wrong) {
    const ran = await backplane(args)
    assert.equal(ran.code, code, `${args.join(' ')}: ${ran.err}`)
    assert.match(ran.err, error)
  }
})

test('what cannot be signed because nothing can be written there says so, and is as it was', async (t) => {
  const { root, folder, key } = await bench(t)
  await writeFile(join(folder, '.backplane'), 'in the way')
  const out = join(root, 'no', 'where')
  for (const args of [
    ['sign', folder, '--key', key],
    ['keygen', out],
    ['trust', 'root', '--key', key.replace(/key$/, 'pub'), '--out', out],
  ]) {
    const ran = await backplane(args)
    assert.deepEqual([ran.code, ran.err.split(':')[0]], [73, 'BACKPLANE_FILE_UNWRITABLE'], ran.err)
  }
  assert.equal(await readFile(join(folder, '.backplane'), 'utf8'), 'in the way')
})
