import assert from 'node:assert/strict'
import { hash } from 'node:crypto'
import { readdir, readFile, writeFile } from 'node:fs/promises'
import type { ServerResponse } from 'node:http'
import { join } from 'node:path'
import { test, type TestContext } from 'node:test'
import { temporaryDirectory } from '@backplane/testing'
import { listening } from './fixtures/listening.ts'
import { backplane } from './fixtures/run-backplane.ts'

const text = 'a bundle'

/** A host that has one bundle, and sends it as a test says; beside it a bundle of before. */
async function hostOf(
  t: TestContext,
  send: (response: ServerResponse) => void,
): Promise<{ root: string; url: string; file: string }> {
  const root = await temporaryDirectory(t)
  const file = join(root, 'plugins.bundle')
  await writeFile(file, 'of before')
  const made = {
    digest: `sha256:${hash('sha256', text)}`,
    size_bytes: text.length,
    plugins: ['acme/s3'],
    location: '/api/lock/bundle/it',
  }
  const url = await listening(t, (request, response) => {
    if (request.method === 'POST') response.end(JSON.stringify(made))
    else send(response)
  })
  return { root, url, file }
}

test('a bundle is under its name once it is whole, and in the place of the one before', async (t) => {
  const { root, url, file } = await hostOf(t, (response) => void response.end(text))
  const ran = await backplane(['bundle', file, '--url', url])
  assert.deepEqual([ran.code, await readFile(file, 'utf8'), await readdir(root)], [0, text, ['plugins.bundle']], ran.err)
})

const wrong: readonly (readonly [what: string, send: (response: ServerResponse) => void, code: number, error: RegExp])[] = [
  ['is not what the host made', (response) => void response.end('a bundel'), 65, /^BACKPLANE_FILE_INVALID/],
  [
    'breaks off on the way',
    (response) => void response.writeHead(200, { 'content-length': 100 }).write(text, () => response.destroy()),
    75,
    /^CLIENT_CONNECTION_LOST/,
  ],
]

for (const [what, send, code, error] of wrong) {
  test(`a bundle that ${what} leaves the one before as it was`, async (t) => {
    const { root, url, file } = await hostOf(t, send)
    const ran = await backplane(['bundle', file, '--url', url])
    assert.equal(ran.code, code, ran.err)
    assert.match(ran.err, error)
    assert.deepEqual([await readFile(file, 'utf8'), await readdir(root)], ['of before', ['plugins.bundle']])
  })
}

test('Ctrl-C leaves a bundle and a mirror as they were, and ends as it does', async (t) => {
  const begun = Promise.withResolvers<void>()
  const { root, url, file } = await hostOf(t, (response) => void response.writeHead(200).write(text, () => begun.resolve()))
  const bundle = await backplane(['bundle', file, '--url', url], { breakWhen: begun.promise })
  assert.deepEqual(
    [bundle.code, bundle.err.split(':')[0], await readFile(file, 'utf8')],
    [130, 'BACKPLANE_BROKEN_OFF', 'of before'],
  )
  await backplane(['keygen', join(root, 'mine')])
  const before = await readdir(root)
  const mirror = await backplane(['mirror', join(root, 'mirror'), '--key', join(root, 'mine.key'), '--url', url], {
    breakWhen: begun.promise,
  })
  assert.deepEqual([mirror.code, await readdir(root)], [130, before], mirror.err)
  const nowhere = await backplane(['bundle', join(root, 'no', 'where'), '--url', url])
  assert.deepEqual([nowhere.code, nowhere.err.split(':')[0]], [73, 'BACKPLANE_FILE_UNWRITABLE'], nowhere.err)
})
