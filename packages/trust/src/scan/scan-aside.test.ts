import assert from 'node:assert/strict'
import { test } from 'node:test'
import { scanAside } from './scan-aside.ts'
import { scanTree, type ScannedFile } from './scan-tree.ts'

const file = (path: string, text: string): ScannedFile => ({ path, bytes: Buffer.from(text) })
const { signal } = new AbortController()
const package_ = [file('plugin.json', '{}'), file('index.js', "import { exec } from 'node:child_process'\nexec('ls')\n")]
/** Parsing this takes long and much memory. */
const heavy = [file('index.js', `export default [${'[0,1,2],'.repeat(200_000)}]`)]

test('a thread of its own finds what the scanner finds, and leaves the bytes as they were', async () => {
  const scan = scanAside()
  const found = await scan(package_, signal)
  assert.deepEqual(found, scanTree(package_))
  assert.ok(found.some(({ rule }) => rule === 'static/child-process'))
  assert.equal(package_[0]?.bytes.length, 2)
})

test('a package that takes too long is a finding, and the next one has its turn', async () => {
  const scan = scanAside({ endMs: 1 })
  const [finding] = await scan(heavy, signal)
  assert.deepEqual([finding?.rule, finding?.severity], ['static/not-scanned', 'danger'])
  assert.match(finding?.message ?? '', /longer than 1 ms/)
  assert.ok((await scanAside()(package_, signal)).length > 0)
})

test('a package that takes too much memory is a finding, and ends nobody but its thread', async () => {
  const [finding] = await scanAside({ memoryMiB: 8 })(heavy, signal)
  assert.equal(finding?.rule, 'static/not-scanned')
  assert.match(finding?.message ?? '', /memory/)
})

test('who gives up waiting is told at once, and those after him are served', async () => {
  const scan = scanAside()
  const giving = new AbortController()
  const given = scan(heavy, giving.signal)
  const after = scan(package_, signal)
  giving.abort(new Error('enough'))
  await assert.rejects(given, /enough/)
  assert.ok((await after).length > 0)
  await assert.rejects(scan(package_, AbortSignal.abort(new Error('never begun'))), /never begun/)
})
