import assert from 'node:assert/strict'
import { mkdir, readdir } from 'node:fs/promises'
import { join } from 'node:path'
import { test, type TestContext } from 'node:test'
import { requireProgram, temporaryDirectory } from '@backplane/testing'
import type { AvailableVersion, FetchedPackage, Fetcher, PinnedPlace } from '../fetcher.ts'
import { gitOverHttps, type GitOverHttps, type Intercept } from './fixtures/git-over-https.ts'
import { repositoryOnDisk, type RepositoryOnDisk } from './fixtures/git-repository-on-disk.ts'
import { gitFetcher, type GitFetcherOptions } from './git-fetcher.ts'

const { signal } = new AbortController()
const options = { signal }

async function onDisk(t: TestContext): Promise<{ readonly at: RepositoryOnDisk; readonly fetcher: Fetcher } | undefined> {
  if (!requireProgram(t, 'git', 'git')) return undefined
  const at = await repositoryOnDisk(t)
  return { at, fetcher: gitFetcher({ folders: [at.root] }) }
}

interface Served {
  readonly at: RepositoryOnDisk
  readonly server: GitOverHttps
  readonly fetcher: (more?: GitFetcherOptions['limits'], token?: string) => Fetcher
}

async function served(t: TestContext, intercept?: Intercept): Promise<Served | undefined> {
  if (!requireProgram(t, 'git', 'git') || !requireProgram(t, 'openssl', 'openssl')) return undefined
  const at = await repositoryOnDisk(t)
  const server = await gitOverHttps(t, at.root, intercept)
  const fetcher: Served['fetcher'] = (limits = {}, token) => {
    const credential = token === undefined ? {} : { credential: () => ({ kind: 'bearer', token }) as const }
    return gitFetcher({ hosts: { [server.host]: { caFile: server.caFile, ...credential } }, limits })
  }
  return { at, server, fetcher }
}

async function first(fetcher: Fetcher, reference: string): Promise<AvailableVersion> {
  const [found] = await fetcher.versions(reference, options)
  assert.ok(found !== undefined)
  return found
}

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

test('a credential goes to its host and to nowhere it leads, and is on no command line', async (t) => {
  const lines: string[] = []
  const here = await served(t, (request, response) => {
    if (request.headers.authorization === 'Bearer secret-token') return false
    response.writeHead(401, { 'www-authenticate': 'Basic realm="git"' }).end()
    return true
  })
  if (here === undefined) return
  const { at, server, fetcher } = here
  await at.release('1.0.0')
  await assert.rejects(fetcher().versions(`git:${server.url}`, options), { code: 'FETCH_DENIED' })
  await assert.rejects(fetcher({}, 'wrong').versions(`git:${server.url}`, options), { code: 'FETCH_DENIED' })
  await assert.rejects(fetcher({}, 'two\nlines').versions(`git:${server.url}`, options), { code: 'FETCH_DENIED' })
  const watched = gitFetcher({
    hosts: {
      [server.host]: { caFile: server.caFile, credential: () => ({ kind: 'bearer', token: 'secret-token' }) },
    },
  })
  const watching = new AbortController()
  const watch = (async () => {
    while (!watching.signal.aborted) lines.push(...(await commandLines()))
  })()
  assert.equal((await first(watched, `git:${server.url}`)).version, '1.0.0')
  watching.abort()
  await watch
  assert.ok(lines.some((line) => line.includes('ls-remote')))
  assert.deepEqual(
    lines.filter((line) => line.includes('secret-token')),
    [],
  )

  const elsewhere = await gitOverHttps(t, at.root)
  const leading = await gitOverHttps(t, at.root, (request, response) => {
    response.writeHead(302, { location: `https://${elsewhere.host}${request.url}` }).end()
    return true
  })
  const credential = (): { readonly kind: 'bearer'; readonly token: string } => ({ kind: 'bearer', token: 'secret-token' })
  const led = gitFetcher({ hosts: { [leading.host]: { caFile: leading.caFile, credential } } })
  await assert.rejects(led.versions(`git:${leading.url}`, options), { code: 'FETCH_ADDRESS_REFUSED' })
  assert.deepEqual(elsewhere.paths, [])
  assert.deepEqual([...new Set(leading.authorizations)], ['Bearer secret-token'])
})

async function commandLines(): Promise<readonly string[]> {
  const { readFile } = await import('node:fs/promises')
  const pids = (await readdir('/proc')).filter((name) => /^\d+$/.test(name))
  return Promise.all(pids.map((pid) => readFile(`/proc/${pid}/cmdline`, 'utf8').catch(() => '')))
}

test('a host or a folder that nobody named is not asked', async (t) => {
  const here = await served(t)
  if (here === undefined) return
  const { at, server } = here
  await at.release('1.0.0')
  const nobody = gitFetcher({ hosts: { 'git.example.org': {} }, folders: [join(at.root, 'other')] })
  await assert.rejects(nobody.versions(`git:${server.url}`, options), { code: 'FETCH_ADDRESS_REFUSED' })
  await assert.rejects(nobody.versions(`git:${at.url}`, options), { code: 'FETCH_ADDRESS_REFUSED' })
  await assert.rejects(gitFetcher().versions(`git:${at.url}`, options), { code: 'FETCH_ADDRESS_REFUSED' })
  assert.deepEqual(server.paths, [])
})

test('a repository, a branch and a server that are not there each say so', async (t) => {
  const here = await served(t)
  if (here === undefined) return
  const { at, server, fetcher } = here
  await assert.rejects(fetcher().versions(`git:${server.url}`, options), { code: 'FETCH_NOT_FOUND', message: /it is empty/ })
  const commit = await at.release('1.0.0')
  const absent = [`${server.url}@v9`, `https://${server.host}/acme/gcs.git`]
  for (const url of absent) await assert.rejects(fetcher().versions(`git:${url}`, options), { code: 'FETCH_NOT_FOUND' })
  await assert.rejects(fetcher().versions(`git:${server.url}@${commit.slice(0, 12)}`, options), /named by all of its digits/)
  const local = gitFetcher({ folders: [at.root] })
  await assert.rejects(local.versions(`git:file://${at.root}/acme/gcs.git`, options), { code: 'FETCH_NOT_FOUND' })
  await server.close()
  await assert.rejects(fetcher().versions(`git:${server.url}`, options), { code: 'FETCH_UNREACHABLE' })
  const without = gitFetcher({ folders: [at.root], program: 'no-such-git' })
  await assert.rejects(without.versions(`git:${at.url}`, options), { code: 'FETCH_UNREACHABLE', message: /not installed/ })
})

test('a certificate that nobody vouches for is not taken', async (t) => {
  const here = await served(t)
  if (here === undefined) return
  const strict = gitFetcher({ hosts: { [here.server.host]: {} } })
  await assert.rejects(strict.versions(`git:${here.server.url}`, options), { code: 'FETCH_UNREACHABLE', message: /certificate/ })
})

test('a server that does not answer is left after a while, at once when nobody waits any more, and nothing stays behind', async (t) => {
  const reached = Promise.withResolvers<void>()
  const here = await served(t, () => (reached.resolve(), true))
  if (here === undefined) return
  const { server } = here
  await assert.rejects(here.fetcher({ timeoutMs: 300 }).versions(`git:${server.url}`, options), {
    code: 'FETCH_UNREACHABLE',
    message: /did not finish within 0\.3 s/,
  })
  const temporary = join(await temporaryDirectory(t), 'private')
  await mkdir(temporary)
  const waiting = gitFetcher({ hosts: { [server.host]: { caFile: server.caFile } }, temporary })
  const stop = new AbortController()
  const asked = waiting.versions(`git:${server.url}`, { signal: stop.signal })
  await reached.promise
  stop.abort()
  await assert.rejects(asked, { name: 'AbortError' })
  assert.deepEqual(await readdir(temporary), [])
  assert.deepEqual(
    (await commandLines()).filter((line) => line.includes(server.host)),
    [],
  )
})
