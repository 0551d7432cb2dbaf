import assert from 'node:assert/strict'
import { once } from 'node:events'
import { mkdir, symlink, writeFile } from 'node:fs/promises'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import { test, type TestContext } from 'node:test'
import { temporaryDirectory } from '@backplane/testing'
import { generateKey } from '@backplane/trust'
import { PackageSources } from '../config/package-sources.ts'
import { Redactor } from '../secrets/redactor.ts'
import { dependencyReference, fetcherPlaces, packageFetchers } from './package-fetchers.ts'

const { signal } = new AbortController()

async function fetchersOf(
  t: TestContext,
  written: object,
  redactor = new Redactor(),
): Promise<Awaited<ReturnType<typeof packageFetchers>>> {
  const root = await temporaryDirectory(t)
  const handles = { env: {}, broker: { resolve: async () => 'a-token-that-is-secret' } }
  return packageFetchers(PackageSources.parse(written), fetcherPlaces(root), { handles, redactor })
}

const kindsOf = (fetchers: readonly { readonly kind: string }[]): readonly string[] => fetchers.map(({ kind }) => kind)

test('without a word of the configuration nothing is fetched but folders and archives, and those from nowhere', async (t) => {
  const fetchers = await fetchersOf(t, {})
  assert.deepEqual(kindsOf(fetchers), ['directory', 'archive'])
  for (const fetcher of fetchers) {
    await assert.rejects(fetcher.versions('/etc', { signal }), { code: 'INSTALL_PATH_REFUSED' })
    await assert.rejects(fetcher.versions('file:///etc/passwd', { signal }), { code: 'INSTALL_PATH_REFUSED' })
    for (const odd of ['file://host/etc', 'file:///a%2fb', 'file:///%zz', '/etc/\0']) {
      await assert.rejects(fetcher.versions(odd, { signal }), { code: 'FETCH_REFERENCE_INVALID' }, odd)
    }
  }
})

test('each kind of place is asked once the configuration names one of it', async (t) => {
  const root = await temporaryDirectory(t)
  const key = join(root, 'corp.pub')
  await writeFile(key, generateKey().publicKey)
  const fetchers = await fetchersOf(t, {
    npm: { '@acme': { url: 'https://npm.acme.example/', token: '${secret:npm}' } },
    git: { 'git.acme.example': { username: 'deploy', password: '${secret:git}' } },
    oci: { 'ghcr.io': {} },
    indexes: { corp: { url: 'https://plugins.corp.example/', keys: [key] } },
  })
  assert.deepEqual(kindsOf(fetchers), ['directory', 'archive', 'npm', 'git', 'oci', 'index'])
  await assert.rejects(fetchersOf(t, { indexes: { corp: { url: 'https://plugins.corp.example/', keys: [`${key}.gone`] } } }), {
    code: 'CONFIG_UNREADABLE',
  })
})

test('a directory is allowed with what lies below it, however its name begins and wherever links lead', async (t) => {
  const root = await temporaryDirectory(t)
  const allowed = join(root, 'packages')
  for (const folder of [allowed, `${allowed}-others/one`]) await mkdir(folder, { recursive: true })
  await symlink(`${allowed}-others`, join(allowed, 'link'))
  const [folders] = await fetchersOf(t, { directories: [allowed] })
  for (const path of [
    allowed,
    `${allowed}-others/one`,
    `${allowed}/link/one`,
    `${allowed}/../packages-others/one`,
    'packages/one',
    'directory:https:/../../../../../../../../etc',
    'directory:http:/../../../../../../../../none',
  ]) {
    await assert.rejects(folders?.versions(path, { signal }) ?? Promise.resolve(), { code: 'INSTALL_PATH_REFUSED' }, path)
  }
  const place = { kind: 'directory', path: `${allowed}/link/one`, digest: '' } as const
  await assert.rejects(folders?.fetch(place, { signal }) ?? Promise.resolve(), { code: 'INSTALL_PATH_REFUSED' })
  await assert.rejects(folders?.versions(`${allowed}/none`, { signal }) ?? Promise.resolve(), { code: 'FETCH_NOT_FOUND' })
})

test('what others need is looked for where its publisher’s packages are, by id first', () => {
  const { dependencies } = PackageSources.parse({ dependencies: { 'acme/*': 'npm:@acme/*', 'acme/own': 'oci:r.example/own' } })
  assert.equal(dependencyReference(dependencies, 'acme/s3'), 'npm:@acme/s3')
  assert.equal(dependencyReference(dependencies, 'acme/own'), 'oci:r.example/own')
  assert.equal(dependencyReference(dependencies, 'other/s3'), undefined)
})

test('what a server could repeat of a credential is blanked, also as it was sent', async (t) => {
  const told: (string | undefined)[] = []
  const server = createServer((request, response) => {
    told.push(request.headers.authorization)
    response.writeHead(404).end()
  }).listen(0, '127.0.0.1')
  t.after(() => server.close())
  await once(server, 'listening')
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/`
  const credential = { username: 'deploy', password: '${secret:x}' }
  const redactor = new Redactor()
  const [, archives] = await fetchersOf(t, { archives: [{ url, ...credential }] }, redactor)
  await assert.rejects(archives?.versions(`${url}s3.tgz`, { signal }) ?? Promise.resolve(), { code: 'FETCH_NOT_FOUND' })
  const sent = Buffer.from('deploy:a-token-that-is-secret').toString('base64')
  assert.deepEqual(told, [`Basic ${sent}`])
  assert.equal(redactor.text(`it said ${told[0]}`), 'it said Basic [redacted]')
})

test('a place has a token, or a name with a password, and not a part of either', () => {
  const wrong = [{ token: 'a', username: 'b', password: 'c' }, { username: 'b' }, { password: 'c' }]
  for (const credential of wrong) {
    assert.equal(PackageSources.safeParse({ npm: { '*': { url: 'https://r.example/', ...credential } } }).success, false)
  }
})
