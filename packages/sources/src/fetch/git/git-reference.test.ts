import assert from 'node:assert/strict'
import { subscribe, unsubscribe } from 'node:diagnostics_channel'
import { chmod, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { test } from 'node:test'
import { temporaryDirectory } from '@backplane/testing'
import type { PinnedPlace } from '../fetcher.ts'
import { gitFetcher } from './git-fetcher.ts'
import { readGitReference } from './git-reference.ts'

const { signal } = new AbortController()
const url = 'https://git.example.org/acme/s3.git'
const commit = 'a'.repeat(40)

test('a reference says what is wanted of which repository', () => {
  const wanted = (reference: string): unknown => readGitReference(reference)
  assert.deepEqual(wanted(`git:${url}`), { url, wanted: { kind: 'head' } })
  assert.deepEqual(wanted(`git:${url}@HEAD`), { url, wanted: { kind: 'head' } })
  assert.deepEqual(wanted(`git+${url}@v1.2.3#plugins/s3`), { url, wanted: { kind: 'name', name: 'v1.2.3' }, path: 'plugins/s3' })
  assert.deepEqual(wanted(`git:${url}@${commit}`), { url, wanted: { kind: 'commit', commit } })
  assert.deepEqual(wanted(`git:${url}@feature/a+b`), { url, wanted: { kind: 'name', name: 'feature/a+b' } })
  assert.deepEqual(wanted(`git:${url}@@acme/s3@1.2.3`), { url, wanted: { kind: 'name', name: '@acme/s3@1.2.3' } })
  assert.deepEqual(wanted(`git:${url}@>=1.2 <2`), { url, wanted: { kind: 'range', range: '>=1.2 <2' } })
  const local = 'https://127.0.0.1:8443/~acme/s3'
  assert.deepEqual(wanted(`git:${local}@1.x`), { url: local, wanted: { kind: 'name', name: '1.x' } })
})

const hostile: readonly string[] = [
  // what git takes for an option, or a server's program
  'git:--upload-pack=touch /tmp/x',
  'git:--upload-pack=touch',
  'git:-oProxyCommand=touch',
  'git:https://--upload-pack=touch/s3.git',
  'git:https://-oProxyCommand=touch/s3.git',
  'git:https://-h/s3.git',
  'git:https://git.example.org/--upload-pack=touch',
  'git:https://git.example.org/acme/-x.git',
  `git:${url}@--upload-pack=touch`,
  `git:${url}@-x`,
  `git:${url}@a/-x`,
  `git:${url}@v1#--exec`,
  `git:${url}@v1#a/-x`,
  // other transports, and the helpers behind them
  'git:ext::sh -c touch%20/tmp/x',
  'git:ext::sh',
  'git+ext::sh',
  'git:ssh://git.example.org/acme/s3.git',
  'git+ssh://git@git.example.org/acme/s3.git',
  'git:git@git.example.org:acme/s3.git',
  'git:git://git.example.org/acme/s3.git',
  'git:http://git.example.org/acme/s3.git',
  'git+http://git.example.org/acme/s3.git',
  'git:fd::17',
  'git:file://host/srv/s3.git',
  'git:/srv/s3.git',
  'git:./s3.git',
  'git:',
  'git:https:git.example.org/acme/s3.git',
  'git:https:///acme/s3.git',
  'git:https://git.example.org',
  'git:https://git.example.org/',
  'git:HTTPS://git.example.org/acme/s3.git',
  // two readings of one address
  'git:https://user:password@git.example.org/acme/s3.git',
  'git:https://git.example.org@evil.example/acme/s3.git',
  'git:https://git.example.org:443/acme/s3.git',
  'git:https://git.example.org:99999/acme/s3.git',
  'git:https://git.example.org:08443/acme/s3.git',
  'git:https://GIT.example.org/acme/s3.git',
  'git:https://127.1/acme/s3.git',
  'git:https://0x7f000001/acme/s3.git',
  'git:https://2130706433/acme/s3.git',
  'git:https://[::1]/acme/s3.git',
  'git:https://git..example.org/acme/s3.git',
  String.raw`git:https://git.example.org\@evil.example/s3.git`,
  'git:https://git.example.org/acme/../s3.git',
  'git:https://git.example.org/acme/./s3.git',
  'git:https://git.example.org/acme//s3.git',
  'git:https://git.example.org/acme/.git',
  'git:https://git.example.org/acme/s3.git/',
  'git:https://git.example.org/acme/%2e%2e/s3.git',
  'git:https://git.example.org/acme/s3.git?service=x',
  'git:file:///srv/../etc/s3.git',
  // control characters and what looks like something else
  `git:${url}\n--upload-pack=touch`,
  `git:${url}@v1\n`,
  `git:${url}@v1\r\nx`,
  `git:${url}@v1\0x`,
  `git:${url}@v1\t`,
  `git:${url}@v1\u001b[2K`,
  `git:${url}@v1\u202egpj`,
  `git:${url}@v1\u200b`,
  `git:${url}@\u{ff56}1`,
  'git:https://git.ex\u0430mple.org/acme/s3.git',
  'git:https://git.example.org\u2215evil.example/s3.git',
  `git:${url}@v1#plugins/s\u0456`,
  ` git:${url}`,
  `git:${url} @v1`,
  // revisions that are more than a name
  `git:${url}@`,
  `git:${url}@@`,
  `git:${url}@main@{1}`,
  `git:${url}@@{upstream}`,
  `git:${url}@@{-1}`,
  `git:${url}@main..v1`,
  `git:${url}@main:plugin.json`,
  `git:${url}@:/fix`,
  `git:${url}@main^{tree}`,
  `git:${url}@main~1`,
  `git:${url}@^main`,
  `git:${url}@refs/heads/*`,
  `git:${url}@v?`,
  `git:${url}@[v]1`,
  `git:${url}@refs/pull/1/head`,
  `git:${url}@refs/`,
  `git:${url}@refs/heads/`,
  `git:${url}@/main`,
  `git:${url}@main/`,
  `git:${url}@a//b`,
  `git:${url}@.hidden`,
  `git:${url}@a/.b`,
  `git:${url}@main.`,
  `git:${url}@main.lock`,
  `git:${url}@$(touch x)`,
  `git:${url}@\`touch\``,
  `git:${url}@v1;touch`,
  `git:${url}@v1|touch`,
  `git:${url}@>=1 || banana`,
  // folders that lead out, or to git's own
  `git:${url}#`,
  `git:${url}#..`,
  `git:${url}#../other`,
  `git:${url}#a/../../b`,
  `git:${url}#/etc`,
  `git:${url}#a//b`,
  `git:${url}#a/`,
  `git:${url}#.git/hooks`,
  `git:${url}#a/.git`,
  String.raw`git:${url}#a\b`,
  `git:${url}#a:b`,
  `git:${url}#a#b`,
  `git:${url}#%2e%2e`,
  `git:${url}#a b`,
  `git:${url}@${'v'.repeat(2_000)}`,
]

const places: readonly Partial<Extract<PinnedPlace, { kind: 'git' }>>[] = [
  { url: '--upload-pack=touch' },
  { url: 'ext::sh -c touch' },
  { url: 'https://git.example.org/acme/s3.git\n' },
  { commit: '--upload-pack=touch' },
  { commit: 'main' },
  { commit: `${commit}\n` },
  { commit: commit.toUpperCase() },
  { ref: '--upload-pack=touch' },
  { ref: 'refs/heads/--x' },
  { ref: 'v1' },
  { ref: 'refs/tags/' },
  { ref: 'refs/tags/a..b' },
  { ref: 'refs/pull/1/head' },
  { path: '../x' },
  { path: '' },
  { path: '--x' },
]

test('every reference that could be taken for something else is refused before git is started', async (t) => {
  const root = await temporaryDirectory(t)
  const program = join(root, 'git')
  await writeFile(program, '#!/bin/sh\necho started >&2\nexit 1\n')
  await chmod(program, 0o755)
  const hosts = { 'git.example.org': {}, 'evil.example': {}, '[::1]': {}, '--upload-pack=touch': {}, '-h': {} }
  const fetcher = gitFetcher({ hosts, folders: ['/'], program, temporary: root })
  let started = 0
  const count = (): void => void (started += 1)
  subscribe('child_process', count)
  t.after(() => unsubscribe('child_process', count))
  for (const reference of hostile) {
    await assert.rejects(fetcher.versions(reference, { signal }), { code: 'FETCH_REFERENCE_INVALID' }, JSON.stringify(reference))
  }
  for (const part of places) {
    const place: PinnedPlace = { kind: 'git', url, commit, ...part }
    await assert.rejects(fetcher.fetch(place, { signal }), { code: 'FETCH_REFERENCE_INVALID' }, JSON.stringify(part))
  }
  assert.equal(started, 0)
  await assert.rejects(fetcher.versions(`git:${url}@v1`, { signal }), { code: 'FETCH_UNREACHABLE', message: /started/ })
  assert.equal(started, 1)
})

test('a refusal shows a reference without what would move a cursor', () => {
  assert.throws(
    () => readGitReference(`git:${url}@\u001b[2J\u202e`),
    (error) => {
      assert.ok(error instanceof Error)
      assert.match(error.message, /\\u001b\[2J\\u202e/)
      return /^[\x20-\x7e]*$/.test(error.message)
    },
  )
})

test('a name and a password that were put into an address are not told again', () => {
  for (const reference of [
    'git:https://deploy:hunter2@git.example.org/acme/s3.git',
    'git+ssh://hunter2@h/x',
    'git:https://a:hunter2@@h',
  ]) {
    assert.throws(
      () => readGitReference(reference),
      (error: Error) => error.message.includes('//…@') && !error.message.includes('hunter2'),
      reference,
    )
  }
})
