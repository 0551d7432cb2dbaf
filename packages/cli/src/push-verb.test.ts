import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { mkdir, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { test, type TestContext } from 'node:test'
import { ociFetcher } from '@backplane/sources/install'
import { dockerRegistry, passwordAuth, registryAccount, requireProgram, temporaryDirectory } from '@backplane/testing'
import { listening } from './fixtures/listening.ts'
import { backplane, type Ran, type RunOptions } from './fixtures/run-backplane.ts'

const { signal } = new AbortController()

interface Bench {
  readonly root: string
  readonly folder: string
  readonly write: (fields?: object, files?: Readonly<Record<string, string>>) => Promise<void>
}

async function bench(t: TestContext): Promise<Bench> {
  const root = await temporaryDirectory(t)
  const folder = join(root, 's3')
  const write: Bench['write'] = async (fields = {}, files = { 'index.js': 'export default {}\n' }) => {
    await mkdir(folder, { recursive: true })
    const manifest = { schemaVersion: 1, id: 'acme/s3', version: '1.0.0', requires: { api: '^1.0.0' }, ...fields }
    await writeFile(join(folder, 'plugin.json'), JSON.stringify(manifest))
    for (const [name, text] of Object.entries(files)) await writeFile(join(folder, name), text)
  }
  await write()
  return { root, folder, write }
}

test('a folder is published with its signatures, the same again is nothing new, and another under its version is refused', async (t) => {
  if (!requireProgram(t, 'docker-registry', 'docker-registry')) return
  const { root, folder, write } = await bench(t)
  const { host, url } = await dockerRegistry(t, root, passwordAuth(root))
  const { user, password } = registryAccount
  const push = (
    more: readonly string[] = [],
    options: RunOptions = { env: { BACKPLANE_REGISTRY_PASSWORD: password } },
  ): Promise<Ran> => backplane(['push', folder, `oci://${host}/acme/s3`, '--registry-url', url, ...more], options)

  const nobody = await push()
  assert.deepEqual([nobody.code, nobody.err.split(':')[0]], [77, 'FETCH_DENIED'], nobody.err)
  const wrong = await push(['--username', user], { input: 'canary' })
  assert.deepEqual([wrong.code, wrong.err.split(':')[0], wrong.err.includes('canary')], [77, 'FETCH_DENIED', false])
  assert.equal((await backplane(['keygen', join(root, 'release')])).code, 0)
  assert.equal((await backplane(['sign', folder, '--key', join(root, 'release.key')])).code, 0)

  await writeFile(join(root, 'password'), `${password}\n`)
  const first = await push(['--username', user, '--password-file', join(root, 'password'), '--json'])
  assert.equal(first.code, 0, first.err)
  const { digest, ...told } = JSON.parse(first.out)
  const reference = `oci:${host}/acme/s3:1.0.0`
  assert.deepEqual(told, { id: 'acme/s3', version: '1.0.0', reference, attestations: 1, changed: true })
  const again = await push(['--username', user])
  assert.deepEqual([again.code, again.out], [0, `acme/s3 1.0.0 is there already: ${reference} (${digest})\n`], again.err)

  const registries = { [host]: { url, credential: () => registryAccount } }
  const fetcher = ociFetcher({ registries })
  const [found] = await fetcher.versions(reference, { signal })
  const fetched = await fetcher.fetch(found?.place ?? assert.fail(), { signal })
  assert.deepEqual([Reflect.get(Object(fetched.place), 'digest'), fetched.attestations.length], [digest, 1])

  await write({}, { 'index.js': 'export default { other: 1 }\n' })
  const other = await push(['--username', user])
  assert.deepEqual([other.code, other.err.startsWith(`PUSH_EXISTS: `)], [65, true], other.err)
  const tagged = await backplane(['push', folder, `oci:${host}/acme/s3:stable`, '--registry-url', url, '--username', user], {
    input: `${password}\n`,
  })
  assert.match(tagged.out, /^acme\/s3 1\.0\.0 pushed: .*\/acme\/s3:stable \(sha256:/)
})

test('archives for several platforms are one version, each sent as it is, and a person sees how far it is', async (t) => {
  if (!requireProgram(t, 'docker-registry', 'docker-registry') || !requireProgram(t, 'tar', 'tar')) return
  const { root, write } = await bench(t)
  const { host, url } = await dockerRegistry(t, root)
  const archives: string[] = []
  for (const platform of ['linux-x64', 'linux-arm64']) {
    await write({ permissions: ['vm:edit'] }, { 'index.js': `export default '${platform}'\n` })
    archives.push(join(root, `${platform}.tgz`))
    execFileSync('tar', ['-czf', join(root, `${platform}.tgz`), '-C', root, 's3'])
  }
  const [x64 = '', arm64 = ''] = archives
  const platforms = ['--platform', 'linux-x64', '--with', `linux-arm64=${arm64}`]
  const pushed = await backplane(['push', x64, `oci://${host}/acme/s3`, '--registry-url', url, ...platforms], { live: true })
  assert.equal(pushed.code, 0, pushed.err)
  assert.match(pushed.err, /\[#* *\] \d+% sending 1\.0\.0 to oci:/)
  const fetcher = ociFetcher({ registries: { [host]: { url } } })
  const [found] = await fetcher.versions(`oci:${host}/acme/s3`, { signal })
  for (const [platform, archive] of [
    ['linux-x64', x64],
    ['linux-arm64', arm64],
  ] as const) {
    const { archiveBytes } = await fetcher.fetch(found?.place ?? assert.fail(), { signal, platform, keepArchive: true })
    assert.ok(archiveBytes !== undefined && (await readFile(archive)).equals(archiveBytes), platform)
  }
})

test('what verify finds wrong, and what is not said well, is refused before anybody is asked', async (t) => {
  const { root, folder, write } = await bench(t)
  const asked: string[] = []
  const url = await listening(t, (request, response) => {
    asked.push(String(request.url))
    response.writeHead(500).end()
  })
  const place = 'oci://registry.example/acme/s3'
  const push = (...more: readonly string[]): Promise<Ran> => backplane(['push', folder, place, '--registry-url', url, ...more])
  const refused = async (code: number, error: RegExp, ...more: readonly string[]): Promise<void> => {
    const ran = await push(...more)
    assert.equal(ran.code, code, ran.err)
    assert.match(ran.err, error)
  }
  await write({ main: 'dist/index.js' })
  await refused(65, /^MANIFEST_MAIN_MISSING: acme\/s3: \$\.main names "dist\/index\.js"[^]*Put dist\/index\.js into the package/)
  await write({ config: { type: 'sting' } })
  await refused(65, /^CONFIG_SCHEMA_INVALID/)
  await write({ permissions: ['exec'] })
  await refused(65, /^PERMISSION_INVALID/)
  await write({ version: 'one' })
  await refused(65, /^MANIFEST_INVALID/)
  await write({}, { 'index.js': "import { exec } from 'node:child_process'\nexec('id')\n" })
  await refused(
    77,
    /^BACKPLANE_PUSH_REFUSED: acme\/s3 1\.0\.0 is not published: static\/child-process: .*index\.js:1[^]*acceptedFindings/,
  )
  await write()
  await writeFile(join(root, 'trust.json'), '{"deny": ["acme/*"], "allowUnsigned": true}')
  await refused(77, /^BACKPLANE_PUSH_REFUSED/, '--policy', join(root, 'trust.json'))
  await refused(2, /^BACKPLANE_USAGE: --with arm64/, '--with', 'arm64')
  await refused(2, /^BACKPLANE_USAGE: a platform is named twice/, '--with', `any=${folder}`)
  await refused(2, /^BACKPLANE_USAGE: --password-file needs --username/, '--password-file', folder)
  await refused(66, /^BACKPLANE_FILE_UNREADABLE/, '--bearer-file', join(root, 'nowhere'))
  await refused(2, /^BACKPLANE_USAGE: take --username or --bearer-file/, '--bearer-file', folder, '--username', 'ci')
  await refused(2, /^BACKPLANE_USAGE: no password of ci was given/, '--username', 'ci')
  await writeFile(join(root, 'twice.json'), '{"allowUnsigned": true, "deny": ["acme/*"], "deny": []}')
  await refused(65, /^BACKPLANE_FILE_INVALID: .*one meaning/, '--policy', join(root, 'twice.json'))
  assert.equal((await backplane(['push', folder, 'npm:@acme/s3'])).code, 2)
  assert.equal((await backplane(['push', join(root, 'nowhere'), place])).code, 66)
  const over = await backplane(['push', folder, place, '--registry-url', 'http://192.0.2.1/'])
  assert.deepEqual([over.code, over.err.split(':')[0]], [77, 'FETCH_ADDRESS_REFUSED'], over.err)
  assert.deepEqual(asked, [])
})

test('broken off, nothing is under the tag, and it ends as Ctrl-C does; one that is not there says so', async (t) => {
  const { folder } = await bench(t)
  const asked = Promise.withResolvers<void>()
  const url = await listening(t, () => asked.resolve())
  const left = await backplane(['push', folder, 'oci://registry.example/acme/s3', '--registry-url', url], {
    breakWhen: asked.promise,
  })
  assert.deepEqual([left.code, left.err.split('\n')[0]], [130, 'BACKPLANE_BROKEN_OFF: broken off: the tag was not written'])
  const gone = await backplane(['push', folder, 'oci://registry.example/acme/s3', '--registry-url', 'http://127.0.0.1:1/'])
  assert.deepEqual([gone.code, gone.err.split(':')[0]], [69, 'FETCH_UNREACHABLE'], gone.err)
})
