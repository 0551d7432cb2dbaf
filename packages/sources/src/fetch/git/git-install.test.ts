import assert from 'node:assert/strict'
import { rm } from 'node:fs/promises'
import { test, type TestContext } from 'node:test'
import { requireProgram } from '@backplane/testing'
import { generateKey, judge, readPolicy, signPackage } from '@backplane/trust'
import { contributes, installingHost, saying, type InstallingHost } from '../../fixtures/installing-host.ts'
import { gitOverHttps, type GitOverHttps } from './fixtures/git-over-https.ts'
import { repositoryOnDisk, type RepositoryOnDisk } from './fixtures/git-repository-on-disk.ts'
import { gitFetcher } from './git-fetcher.ts'

const { signal } = new AbortController()

interface Ground {
  readonly at: RepositoryOnDisk
  readonly server: GitOverHttps
  readonly host: InstallingHost
}

async function ground(t: TestContext): Promise<Ground | undefined> {
  if (!requireProgram(t, 'git', 'git') || !requireProgram(t, 'openssl', 'openssl')) return undefined
  const at = await repositoryOnDisk(t)
  const server = await gitOverHttps(t, at.root)
  const host = await installingHost(t, [gitFetcher({ hosts: { [server.host]: { caFile: server.caFile } } })])
  return { at, server, host }
}

test('from a git server: added, locked to a commit, started, updated once a permission is approved, started without it', async (t) => {
  const here = await ground(t)
  if (here === undefined) return
  const { at, server, host } = here
  const commit = await at.release('1.0.0', { contributes }, saying('one'))
  await at.tag('v1.0.0')
  await host.apply(await host.plan({ kind: 'add', reference: `git:${server.url}@^1` }))
  const locked = (await host.installer.lock()).plugins['acme/s3']
  assert.deepEqual(locked?.artifacts['any']?.place, { kind: 'git', url: server.url, commit, ref: 'refs/tags/v1.0.0' })
  assert.equal(locked?.requested, `git:${server.url}@^1`)
  assert.equal(await host.said(), 'one')
  assert.deepEqual([...new Set(host.judged.map(({ source }) => source))], [`git:${server.url}`])

  await at.release('1.1.0', { contributes, permissions: ['exec rclone'] }, saying('two'))
  await at.tag('v1.1.0')
  await at.release('2.0.0', { contributes }, saying('three'))
  await at.tag('v2.0.0')
  const update = await host.plan({ kind: 'update', id: 'acme/s3' })
  await assert.rejects(host.apply(update), { code: 'INSTALL_UNAPPROVED' })
  assert.equal(await host.said(), 'one')
  await host.apply(update, { 'acme/s3': ['exec rclone'] })
  assert.equal((await host.installer.lock()).plugins['acme/s3']?.version, '1.1.0')

  await server.close()
  const asked = server.paths.length
  assert.equal(await host.said(), 'two')
  assert.equal(server.paths.length, asked)
})

test('a locked package starts where there is no network at all', async (t) => {
  if (!requireProgram(t, 'bwrap', 'bubblewrap')) return
  const here = await ground(t)
  if (here === undefined) return
  const { at, server, host } = here
  await at.release('1.0.0', { contributes }, saying('one'))
  await host.apply(await host.plan({ kind: 'add', reference: `git:${server.url}` }))
  assert.deepEqual(await host.saidWithoutNetwork(server.url), { said: 'one', isReached: false })
  await server.close()
  await assert.rejects(host.plan({ kind: 'update' }), { code: 'FETCH_UNREACHABLE' })
})

test('a signature that is committed with what it signs is what a strict policy takes it by', async (t) => {
  if (!requireProgram(t, 'git', 'git')) return
  const at = await repositoryOnDisk(t)
  const fetcher = gitFetcher({ folders: [at.root] })
  const [acme, mallory] = [generateKey(), generateKey()]
  const policy = readPolicy({
    keys: { acme: { publicKey: acme.publicKey } },
    publishers: [{ name: 'Acme', ids: 'acme/*', signers: [{ key: 'acme' }] }],
  })
  const host = await installingHost(t, [fetcher], (subject) => judge(subject, policy, Date.now()))
  const add = { kind: 'add', reference: `git:${at.url}` } as const
  await at.release('1.0.0', { contributes }, saying('one'))
  const [found] = await fetcher.versions(add.reference, { signal })
  assert.ok(found !== undefined)
  const { digest } = (await fetcher.fetch(found.place, { signal })).tree
  const signedBy = (key: string): string =>
    JSON.stringify(signPackage({ id: 'acme/s3', version: '1.0.0', digest, signedAtMs: Date.now() }, key))
  await assert.rejects(host.plan(add), { code: 'INSTALL_REFUSED' })
  await at.commit({ '.backplane/a.json': signedBy(mallory.privateKey) })
  await assert.rejects(host.plan(add), { code: 'INSTALL_REFUSED' })
  await at.commit({ '.backplane/a.json': signedBy(acme.privateKey) })
  await host.apply(await host.plan(add))
  assert.equal((await host.installer.lock()).plugins['acme/s3']?.publisher, 'Acme')
  assert.equal(await host.said(), 'one')
})

test('a tag that moved since it was locked stops every plan, and a start asks nobody', async (t) => {
  const here = await ground(t)
  if (here === undefined) return
  const { at, server, host } = here
  await at.release('1.0.0', { contributes }, saying('one'))
  await at.tag('v1.0.0')
  const add = { kind: 'add', reference: `git:${server.url}@v1.0.0` } as const
  await host.apply(await host.plan(add))
  await at.release('1.0.1', { contributes }, saying('evil'))
  await at.tag('v1.0.0')
  const moved = { code: 'FETCH_CHANGED', message: /the tag refs\/tags\/v1\.0\.0 leads to .*, which was locked/ }
  await assert.rejects(host.plan({ kind: 'update' }), moved)
  await assert.rejects(host.plan(add), moved)
  assert.equal(await host.said(), 'one')
  await rm(host.places.store, { recursive: true })
  await assert.rejects(host.installer.restore({ signal }), { code: 'FETCH_CHANGED' })
  const now = await at.git('rev-parse', 'HEAD')
  await host.apply(await host.plan({ kind: 'add', reference: `git:${server.url}@${now}` }))
  assert.equal(await host.said(), 'evil')
})

test('a store that was lost is filled again from the commit, though its branch has moved', async (t) => {
  const here = await ground(t)
  if (here === undefined) return
  const { at, server, host } = here
  await at.release('1.0.0', { contributes }, saying('one'))
  await host.apply(await host.plan({ kind: 'add', reference: `git:${server.url}@main` }))
  await at.release('1.1.0', { contributes }, saying('two'))
  await rm(host.places.store, { recursive: true })
  assert.deepEqual(await host.installer.restore({ signal }), ['acme/s3'])
  assert.equal(await host.said(), 'one')
})

test('a tag that is one version, on a manifest that says another, is not installed', async (t) => {
  const here = await ground(t)
  if (here === undefined) return
  const { at, server, host } = here
  await at.release('1.0.0')
  await at.tag('v1.9.0')
  await assert.rejects(host.plan({ kind: 'add', reference: `git:${server.url}@^1` }), { code: 'INSTALL_MANIFEST' })
  await assert.rejects(host.plan({ kind: 'add', reference: `git:${server.url}@^3` }), { code: 'FETCH_NOT_FOUND' })
})
