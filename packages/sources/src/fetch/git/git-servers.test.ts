import assert from 'node:assert/strict'
import { subscribe, unsubscribe } from 'node:diagnostics_channel'
import { readdirSync, readFileSync } from 'node:fs'
import { mkdir, readdir, readFile, writeFile } from 'node:fs/promises'
import { createServer } from 'node:net'
import { join } from 'node:path'
import { test } from 'node:test'
import { requireProgram, temporaryDirectory } from '@backplane/testing'
import { first, served } from './fixtures/git-ground.ts'
import { gitOverHttps, type Meddling } from './fixtures/git-over-https.ts'
import { repositoryOnDisk } from './fixtures/git-repository-on-disk.ts'
import { gitFetcher } from './git-fetcher.ts'

const { signal } = new AbortController()
const options = { signal }

test('a credential goes to its host and to nowhere it leads, and is on no command line', async (t) => {
  const lines: string[] = []
  const here = await served(t, (request, response) => {
    if (request.headers.authorization === 'Bearer secret-token') {
      lines.push(...commandLines())
      return false
    }
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
  assert.equal((await first(watched, `git:${server.url}`)).version, '1.0.0')
  assert.ok(lines.some((line) => line.includes('ls-remote')))
  assert.ok(lines.some((line) => line.includes('remote-https')))
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

/** Of everything that runs now. */
function commandLines(): readonly string[] {
  const pids = readdirSync('/proc').filter((name) => /^\d+$/.test(name))
  return pids.map((pid) => {
    try {
      return readFileSync(`/proc/${pid}/cmdline`, 'utf8')
    } catch {
      return ''
    }
  })
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

test('a git that is too old to be told what it must not do is not used', async (t) => {
  const folder = await temporaryDirectory(t)
  const program = join(folder, 'git')
  let started = 0
  const count = (): void => void (started += 1)
  subscribe('child_process', count)
  t.after(() => unsubscribe('child_process', count))
  const use = async (version: string): Promise<unknown> => {
    const script = `#!/bin/sh\nif [ "$1" = version ]; then echo "${version}"; else echo "asked for $1" >&2; exit 3; fi\n`
    await writeFile(program, script, { mode: 0o755 })
    const fetcher = gitFetcher({ folders: ['/srv'], program })
    started = 0
    return fetcher.versions('git:file:///srv/s3.git', options)
  }
  for (const old of ['git version 2.31.9', 'git version 1.99.0', 'something else']) {
    await assert.rejects(use(old), { code: 'FETCH_UNREACHABLE', message: /2\.32 or newer/ })
    assert.equal(started, 1, 'it is asked for its version and nothing else')
  }
  await assert.rejects(use('git version 2.45.1 (Apple Git-1)'), { code: 'FETCH_UNREACHABLE', message: /asked for ls-remote/ })
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
    commandLines().filter((line) => line.includes(server.host)),
    [],
  )
})

test('a server that is none, or that knows only files, is refused', async (t) => {
  if (!requireProgram(t, 'git', 'git') || !requireProgram(t, 'openssl', 'openssl')) return
  const root = await temporaryDirectory(t)
  const server = await gitOverHttps(t, root, (_request, response) => {
    response.setHeader('content-type', 'text/html').end('<h1>Welcome</h1>')
    return true
  })
  const fetcher = gitFetcher({ hosts: { [server.host]: { caFile: server.caFile } } })
  await assert.rejects(fetcher.versions(`git:${server.url}`, { signal }), { code: 'FETCH_NOT_FOUND', message: /no repository/ })

  const at = await repositoryOnDisk(t)
  await at.release('1.0.0')
  await at.git('-C', join(at.root, 'acme', 's3.git'), 'update-server-info')
  const files = await gitOverHttps(t, at.root, (request, response) => {
    const { pathname } = new URL(request.url ?? '', 'https://server')
    readFile(join(at.root, pathname)).then(
      (bytes) => response.end(bytes),
      () => response.writeHead(404).end(),
    )
    return true
  })
  const dumb = gitFetcher({ hosts: { [files.host]: { caFile: files.caFile } } })
  await assert.rejects(dumb.versions(`git:${files.url}`, { signal }), { code: 'FETCH_RESPONSE_INVALID', message: /dumb http/ })
})

test('a server that gives another commit than was asked for, or a damaged one, is refused', async (t) => {
  if (!requireProgram(t, 'git', 'git') || !requireProgram(t, 'openssl', 'openssl')) return
  const at = await repositoryOnDisk(t)
  const evil = await at.release('1.0.0', {}, 'evil()')
  const good = await at.release('1.0.0')
  const take = async (meddling: Meddling): Promise<unknown> => {
    const server = await gitOverHttps(t, at.root, undefined, meddling)
    const fetcher = gitFetcher({ hosts: { [server.host]: { caFile: server.caFile } } })
    return fetcher.versions(`git:${server.url}@${good}`, { signal })
  }
  await take({})
  const other = (body: Buffer): Buffer => Buffer.from(body.toString('latin1').replaceAll(good, evil), 'latin1')
  await assert.rejects(take({ asked: other }), { code: 'FETCH_RESPONSE_INVALID' })
  const flipped = (body: Buffer): Buffer => {
    const pack = body.indexOf('PACK')
    if (pack === -1) return body
    const bytes = Buffer.from(body)
    bytes[pack + 40] = (bytes[pack + 40] ?? 0) ^ 0xff
    return bytes
  }
  await assert.rejects(take({ answered: flipped }), { code: 'FETCH_RESPONSE_INVALID' })
  const cut = (body: Buffer): Buffer => (body.includes('PACK') ? body.subarray(0, body.indexOf('PACK') + 30) : body)
  await assert.rejects(take({ answered: cut }), { code: /^FETCH_(?:RESPONSE_INVALID|UNREACHABLE)$/ })
})

test('nothing is asked over the protocol of git itself, which anybody on the way can change', async (t) => {
  const asked: string[] = []
  const server = createServer((socket) => void asked.push(String(socket.remotePort)))
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  t.after(() => server.close())
  const address = server.address()
  assert.ok(typeof address === 'object' && address !== null)
  const host = `127.0.0.1:${address.port}`
  const fetcher = gitFetcher({ hosts: { [host]: {} } })
  await assert.rejects(fetcher.versions(`git:git://${host}/acme/s3.git`, { signal }), { code: 'FETCH_REFERENCE_INVALID' })
  assert.deepEqual(asked, [])
})
