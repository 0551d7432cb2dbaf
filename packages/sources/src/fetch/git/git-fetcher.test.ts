import assert from 'node:assert/strict'
import { join } from 'node:path'
import { test } from 'node:test'
import { requireProgram } from '@backplane/testing'
import type { FetchedPackage, PinnedPlace } from '../fetcher.ts'
import { first, onDisk, served } from './fixtures/git-ground.ts'
import { repositoryOnDisk } from './fixtures/git-repository-on-disk.ts'
import { gitFetcher } from './git-fetcher.ts'

const { signal } = new AbortController()
const options = { signal }

function text({ tree }: FetchedPackage, path: string): string | undefined {
  const file = tree.files.find((one) => one.path === path)
  return file === undefined ? undefined : Buffer.from(file.bytes).toString('utf8')
}

/** As it would be read back from a lock: equal, and not the object that was handed out. */
function locked(place: PinnedPlace): PinnedPlace {
  return JSON.parse(JSON.stringify(place)) as PinnedPlace
}

test('a package comes over https, pinned to the commit its tag leads to, with its version from its manifest', async (t) => {
  const here = await served(t)
  if (here === undefined) return
  const { at, server, fetcher } = here
  const commit = await at.release('1.2.3')
  await at.tag('v1.2.3', '--annotate', '--message', 'Release')
  await at.release('2.0.0')
  const found = await first(fetcher(), `git:${server.url}@v1.2.3`)
  assert.deepEqual(found.place, { kind: 'git', url: server.url, commit, ref: 'refs/tags/v1.2.3' })
  assert.equal(found.version, '1.2.3')
  const fetched = await fetcher().fetch(locked(found.place), options)
  assert.equal(text(fetched, 'index.js'), 'export default "1.2.3"')
  assert.deepEqual(Reflect.get(Object(fetched.manifest), 'id'), 'acme/s3')
})

test('without a ref the branch that the repository names is taken, and a branch is pinned to its commit and may move', async (t) => {
  const here = await onDisk(t)
  if (here === undefined) return
  const { at, fetcher } = here
  const commit = await at.release('1.0.0')
  assert.deepEqual((await first(fetcher, `git:${at.url}`)).place, { kind: 'git', url: at.url, commit })
  const branch = await first(fetcher, `git+${at.url}@main`)
  assert.deepEqual(branch.place, { kind: 'git', url: at.url, commit, ref: 'refs/heads/main' })
  await at.release('1.1.0')
  assert.equal(text(await fetcher.fetch(locked(branch.place), options), 'index.js'), 'export default "1.0.0"')
  assert.equal((await first(fetcher, `git:${at.url}@refs/heads/main`)).version, '1.1.0')
  assert.equal((await first(fetcher, `git:${at.url}@${commit}`)).version, '1.0.0')
})

test('what had to be fetched to know its version is not fetched again', async (t) => {
  const here = await served(t)
  if (here === undefined) return
  const fetcher = here.fetcher()
  await here.at.release('1.0.0')
  const found = await first(fetcher, `git:${here.server.url}`)
  const asked = here.server.paths.length
  await fetcher.fetch(found.place, options)
  assert.equal(here.server.paths.length, asked)
})

test('a range is over the tags that are versions, best first, and takes nothing else for one', async (t) => {
  const here = await onDisk(t)
  if (here === undefined) return
  const { at, fetcher } = here
  for (const [version, tag] of [
    ['1.2.0', 'v1.2.0'],
    ['1.10.0', '1.10.0'],
    ['1.11.0-rc.1', 'v1.11.0-rc.1'],
    ['2.0.0', 'v2.0.0'],
    ['1.99.0', 'release-1.99.0'],
    ['1.98.0', 'v1.98'],
  ] as const) {
    await at.release(version)
    await at.tag(tag)
  }
  const versions = async (range: string): Promise<readonly string[]> =>
    (await fetcher.versions(`git:${at.url}@${range}`, options)).map(({ version }) => version)
  assert.deepEqual(await versions('^1.2'), ['1.10.0', '1.2.0'])
  assert.deepEqual(await versions('*'), ['2.0.0', '1.10.0', '1.2.0'])
  assert.deepEqual(await versions('>=1.2 <1.5'), ['1.2.0'])
  assert.deepEqual(await versions('^3'), [])
  const limited = gitFetcher({ folders: [at.root], limits: { versions: 1 } })
  assert.equal((await limited.versions(`git:${at.url}@*`, options)).length, 1)
})

test('a package may lie in a folder, with tags of its own; what lies beside it is not looked at', async (t) => {
  const here = await onDisk(t)
  if (here === undefined) return
  const { at, fetcher } = here
  await at.git('update-index', '--add', '--cacheinfo', `160000,${'a'.repeat(40)},vendor`)
  await at.commit({ 'plugins/s3/plugin.json': '{"version":"1.0.0"}', 'plugins/s3/lib/a.js': 'a', 'other.js': 'other' })
  await at.tag('s3-v1.0.0')
  await at.tag('v9.0.0')
  const found = await first(fetcher, `git:${at.url}@^1#plugins/s3`)
  const fetched = await fetcher.fetch(found.place, options)
  assert.deepEqual(
    fetched.tree.files.map(({ path }) => path),
    ['lib/a.js', 'plugin.json'],
  )
  assert.deepEqual(await fetcher.versions(`git:${at.url}@^9#plugins/s3`, options), [])
  await assert.rejects(first(fetcher, `git:${at.url}#plugins/gcs`), { code: 'FETCH_NOT_FOUND' })
  await assert.rejects(first(fetcher, `git:${at.url}#other.js`), { code: 'FETCH_NOT_FOUND' })
})

test('a tag that leads elsewhere since it was pinned is refused, and so is one that is gone', async (t) => {
  const here = await served(t)
  if (here === undefined) return
  const { at, server, fetcher } = here
  await at.release('1.0.0')
  await at.tag('v1.0.0')
  const { place } = await first(fetcher(), `git:${server.url}@v1.0.0`)
  await at.release('1.0.0', {}, 'evil()')
  await at.tag('v1.0.0')
  await assert.rejects(fetcher().fetch(locked(place), options), {
    code: 'FETCH_CHANGED',
    message: /the tag refs\/tags\/v1\.0\.0 leads to [0-9a-f]{40}, not to [0-9a-f]{40}/,
  })
  await at.git('push', '--quiet', 'origin', ':refs/tags/v1.0.0')
  await assert.rejects(fetcher().fetch(locked(place), options), { code: 'FETCH_CHANGED', message: /is gone/ })
})

test('a commit that the server has no more is refused', async (t) => {
  const here = await served(t)
  if (here === undefined) return
  const { at, server, fetcher } = here
  await at.release('1.0.0')
  const { place } = await first(fetcher(), `git:${server.url}@main`)
  await at.git('checkout', '--quiet', '--orphan', 'rewritten')
  await at.release('1.0.1')
  await at.git('-C', join(at.root, 'acme', 's3.git'), 'reflog', 'expire', '--expire=now', '--all')
  await at.git('-C', join(at.root, 'acme', 's3.git'), 'prune', '--expire=now')
  await assert.rejects(fetcher().fetch(locked(place), options), { code: 'FETCH_CHANGED', message: /commit [0-9a-f]{40} is gone/ })
  assert.ok(place.kind === 'git')
  await assert.rejects(fetcher().versions(`git:${server.url}@${place.commit}`, options), { code: 'FETCH_NOT_FOUND' })
})

test('a repository with names of 64 digits is read like any other', async (t) => {
  if (!requireProgram(t, 'git', 'git')) return
  const at = await repositoryOnDisk(t, 'sha256')
  const commit = await at.release('1.0.0')
  assert.equal(commit.length, 64)
  const found = await first(gitFetcher({ folders: [at.root] }), `git:${at.url}@main`)
  assert.ok(found.place.kind === 'git')
  assert.deepEqual([found.version, found.place.commit], ['1.0.0', commit])
})

test('what others say of a package comes with it, and is no part of it', async (t) => {
  const here = await onDisk(t)
  if (here === undefined) return
  await here.at.commit({ '.backplane/acme.dsse.json': '{"payloadType":"x"}', '.github/ci.yml': 'ci' })
  await here.at.release('1.0.0')
  const fetched = await here.fetcher.fetch((await first(here.fetcher, `git:${here.at.url}`)).place, options)
  assert.deepEqual(fetched.attestations, [{ file: '.backplane/acme.dsse.json', content: { payloadType: 'x' } }])
  assert.deepEqual(
    fetched.tree.files.map(({ path }) => path),
    ['index.js', 'plugin.json'],
  )
})
