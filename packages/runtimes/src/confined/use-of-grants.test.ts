import assert from 'node:assert/strict'
import { mkdir, symlink } from 'node:fs/promises'
import { join } from 'node:path'
import { test } from 'node:test'
import type { Grants } from '@backplane/kernel'
import { RecordingHost, temporaryDirectory } from '@backplane/testing'
import { hostLinkHandler } from '../session-link/host-link-handler.ts'
import { usesAtOnce } from '../session-link/denied-words.ts'
import { useOfGrants } from './use-of-grants.ts'

const none: Grants = { fsRead: [], fsWrite: [], exec: [], net: [], host: [] }
const read = (resource: unknown): object => ({ permission: 'FileSystemRead', resource })

test('only what lies in a grant of its own kind is a use of it, whatever way it is written', async (t) => {
  const root = await temporaryDirectory(t)
  await mkdir(join(root, 'real'))
  await symlink('real', join(root, 'link'))
  const link = join(root, 'link')
  const useOf = await useOfGrants(
    { ...none, fsRead: ['/srv/a', link], fsWrite: ['/srv/b'], exec: ['cat'] },
    { cat: '/usr/bin/cat' },
  )
  const what = (told: unknown): string | undefined => useOf(told)?.what
  assert.equal(what(read('/srv/a/x/../y')), '/srv/a/y')
  assert.equal(what(read(`${root}/real/x`)), `${link}/x`)
  for (const path of ['/srv/a/../b/x', '/srv/ab', '/srv/b/x', 'x'.repeat(5_000), 7, null])
    assert.equal(what(read(path)), undefined)
  assert.equal(what({ permission: 'FileSystemWrite', resource: '/srv/a/x' }), undefined)
  assert.deepEqual(useOf({ permission: 'ChildProcess', resource: '/usr/bin/cat' }), { verb: 'exec', what: 'cat', by: 'plugin' })
  for (const resource of ['/tmp/cat', 'dog', '']) assert.equal(what({ permission: 'ChildProcess', resource }), undefined)
  for (const told of [null, 'FileSystemRead', {}, { permission: 'Net', resource: 'a:1' }]) assert.equal(useOf(told), undefined)
})

test('uses that a plugin makes up are looked at only so often, and hide no more than that of what it tried', async () => {
  const host = new RecordingHost()
  const useOf = await useOfGrants({ ...none, fsRead: ['/srv'] }, {})
  let looked = 0
  const counted = (told: unknown): ReturnType<typeof useOf> => ((looked += 1), useOf(told))
  const output = { log: () => undefined, dropped: () => undefined }
  const { notice } = hostLinkHandler(host, 'hostile/one', output, { useOf: counted, hasPrograms: false })
  for (let at = 0; at < 50_000; at += 1) notice?.('denied', read(at % 2 === 0 ? `/srv/${at}` : `/etc/${at}`))
  assert.ok(looked >= usesAtOnce && looked < usesAtOnce + 500, String(looked))
  assert.ok(host.isUntold, 'of the rest nobody says that it was not used')
  const other = new RecordingHost()
  const handler = hostLinkHandler(other, 'hostile/two', output, { useOf, hasPrograms: false })
  handler.notice?.('denied', { permission: 'WorkerThreads', resource: '' })
  assert.ok(other.isUntold, 'nor of what a thread did')
  assert.ok(host.uses.length <= looked && host.violations.length < 30, `${host.uses.length} ${host.violations.length}`)
})
