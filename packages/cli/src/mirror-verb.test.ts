import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { hash } from 'node:crypto'
import { mkdir, readdir, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { test, type TestContext } from 'node:test'
import { pathToFileURL } from 'node:url'
import { requireProgram, temporaryDirectory } from '@backplane/testing'
import { indexFetcher, writeIndex } from '@backplane/sources/install'
import { generateKey, type Advisory } from '@backplane/trust'
import { listening } from './fixtures/listening.ts'
import { backplane } from './fixtures/run-backplane.ts'

const { signal } = new AbortController()
const options = { signal }
const advisory: Advisory = { id: 'ACME-1', plugin: 'acme/s3', versions: '<1.1', summary: 'It loses data', action: 'disable' }

interface Stage {
  readonly root: string
  /** What `--from-index` is given. */
  readonly from: readonly string[]
  readonly add: (name: string, version: string) => Promise<void>
}

/** Another index, and a key of one's own. */
async function stage(t: TestContext): Promise<Stage | undefined> {
  if (!requireProgram(t, 'tar', 'tar')) return undefined
  const root = await temporaryDirectory(t)
  const key = generateKey()
  await writeFile(join(root, 'theirs.pub'), key.publicKey)
  await backplane(['keygen', join(root, 'mine')])
  const add: Stage['add'] = async (name, version) => {
    const folder = join(root, `${name}-${version}`)
    await mkdir(folder)
    const manifest = { schemaVersion: 1, id: `acme/${name}`, version, requires: { api: '^1.0.0' } }
    await writeFile(join(folder, 'plugin.json'), JSON.stringify(manifest))
    const archive = `${folder}.tgz`
    execFileSync('tar', ['-czf', archive, '-C', folder, 'plugin.json'])
    await writeIndex(join(root, 'theirs'), [archive], { keys: [key.privateKey], advisories: [advisory], signal })
  }
  const url = pathToFileURL(join(root, 'theirs')).href
  return { root, add, from: ['--from-index', url, '--from-key', join(root, 'theirs.pub')] }
}

test('a mirror of an index has its packages and its warnings, is installable from, and a second run adds what is new', async (t) => {
  const at = await stage(t)
  if (at === undefined) return
  const { root, add, from } = at
  const mirror = (...more: string[]): ReturnType<typeof backplane> =>
    backplane(['mirror', join(root, 'mirror'), ...more, ...from, '--key', join(root, 'mine.key'), '--json'])
  await add('s3', '1.0.0')
  await add('disk', '1.0.0')
  const first = await mirror()
  assert.deepEqual([first.code, JSON.parse(first.out).added], [0, ['acme/disk@1.0.0', 'acme/s3@1.0.0']], first.err)
  const url = pathToFileURL(join(root, 'mirror')).href
  const reader = indexFetcher({ indexes: { mine: { url, keys: [await readFile(join(root, 'mine.pub'), 'utf8')] } } })
  const [offer] = await reader.versions('index:acme/s3', options)
  const fetched = await reader.fetch(offer?.place ?? assert.fail(), options)
  assert.equal(Reflect.get(Object(fetched.manifest), 'id'), 'acme/s3')
  assert.deepEqual((await reader.advisories(options)).found, [advisory])
  await add('s3', '1.1.0')
  const second = JSON.parse((await mirror('acme/s3')).out)
  assert.deepEqual([second.added, second.version], [['acme/s3@1.1.0'], 2])
})

test('a mirror is not written without a key, from two places, or from an index nobody signed, and nothing is left', async (t) => {
  const at = await stage(t)
  if (at === undefined) return
  const { root, add, from } = at
  await add('s3', '1.0.0')
  const into = join(root, 'mirror')
  const key = ['--key', join(root, 'mine.key')]
  const wrong: readonly (readonly [args: readonly string[], code: number, error: RegExp])[] = [
    [from, 2, /an index that nobody signed is taken by nobody: name a key with --key, and make one with `backplane keygen`/],
    [[...from, ...key, '--bundle', 'x'], 2, /take packages from one place/],
    [[...from.slice(0, 2), ...key], 2, /--from-index needs --from-key/],
    [[...from.slice(0, 3), join(root, 'mine.pub'), ...key], 77, /^INDEX_UNSIGNED/],
    [['--registry', 'http://127.0.0.1:9/', ...key], 2, /needs the names of packages/],
    [['--bundle', join(root, 'theirs.pub'), ...key], 65, /^BUNDLE_INVALID/],
    [[...from, ...key, '--valid-days', '0'], 2, /from 1 to 366/],
    [[...from, 'acme/s4', ...key], 66, /^FETCH_NOT_FOUND/],
  ]
  for (const [args, code, error] of wrong) {
    const ran = await backplane(['mirror', into, ...args])
    assert.equal(ran.code, code, `${args.join(' ')}: ${ran.err}`)
    assert.match(ran.err, error)
  }
  assert.deepEqual((await readdir(root)).includes('mirror'), false)
})

test('packages of a registry go into a mirror, and signatures that stay behind are told of', async (t) => {
  const at = await stage(t)
  if (at === undefined) return
  const { root, add } = at
  await add('s3', '1.0.0')
  const folder = join(root, 'packed/package')
  await mkdir(folder, { recursive: true })
  const manifest = { schemaVersion: 1, id: 'acme/s3', version: '1.0.0', requires: { api: '^1.0.0' } }
  await writeFile(join(folder, 'plugin.json'), JSON.stringify(manifest))
  execFileSync('tar', ['-czf', join(root, 's3.tgz'), '-C', join(root, 'packed'), 'package'])
  const tarball = await readFile(join(root, 's3.tgz'))
  const integrity = `sha512-${hash('sha512', tarball, 'base64')}`
  const registry: string = await listening(t, (request, response) => {
    const dist = { tarball: `${registry}/s3.tgz`, integrity, attestations: { url: `${registry}/attestations` } }
    const packument = { name: '@acme/s3', versions: { '1.0.0': { name: '@acme/s3', version: '1.0.0', dist } } }
    if (request.url === '/s3.tgz') return void response.end(tarball)
    response.setHeader('content-type', 'application/json')
    response.end(JSON.stringify(request.url === '/attestations' ? { attestations: [{ bundle: {} }] } : packument))
  })
  const key = ['--key', join(root, 'mine.key'), '--json']
  const ran = await backplane(['mirror', join(root, 'mirror'), 'npm:@acme/s3@^1', '--registry', registry, ...key])
  assert.deepEqual([ran.code, JSON.parse(ran.out).added], [0, ['acme/s3@1.0.0']], ran.err)
  assert.match(ran.err, /the signatures of npm:@acme\/s3@\^1 1\.0\.0 do not lie in its archive and stay behind/)
})
