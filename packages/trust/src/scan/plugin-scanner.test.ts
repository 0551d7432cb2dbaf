import assert from 'node:assert/strict'
import { test } from 'node:test'
import { PlatformError, type OpenedClient, type ScannedPiece, type ScannerFinding, type scanner } from '@backplane/sdk'
import type { Finding } from '../subject.ts'
import { pluginScanner } from './plugin-scanner.ts'
import type { ScannedFile } from './scan-tree.ts'

const { signal } = new AbortController()
const about = { id: 'acme/s3', version: '1.0.0', digest: `sha256:${'0'.repeat(64)}` }
const file = (path: string, bytes: Uint8Array = Buffer.from(path)): ScannedFile => ({ path, bytes })
type Opened = OpenedClient<typeof scanner>

/** One that answers with what it was made with, and remembers what it was shown. */
class Opening implements Opened {
  readonly seen: ScannedPiece[] = []
  isClosed = false
  readonly #answer: () => readonly ScannerFinding[] | Promise<readonly ScannerFinding[]>

  constructor(answer: () => readonly ScannerFinding[] | Promise<readonly ScannerFinding[]> = () => []) {
    this.#answer = answer
  }

  readonly has = (): boolean => true
  readonly file: Opened['file'] = async (piece) => void this.seen.push(piece)
  readonly findings: Opened['findings'] = async () => {
    await new Promise(setImmediate)
    assert.equal(this.isClosed, false, 'it is closed before it has answered')
    return this.#answer()
  }
  readonly [Symbol.asyncDispose] = async (): Promise<void> => void (this.isClosed = true)
}

function scan(
  open: () => Promise<Opened>,
  files: readonly ScannedFile[] = [file('index.js')],
  timeoutMs = 60_000,
): Promise<readonly Finding[]> {
  return pluginScanner({ name: 'words', plugin: 'acme/words', timeoutMs, open })(about, files, signal)
}

test('a scanner is shown every byte in order, in pieces, and closed after it answered', async () => {
  const opening = new Opening()
  const large = Buffer.alloc(600_000, 7)
  assert.deepEqual(await scan(async () => opening, [file('a.js', new Uint8Array()), file('b.bin', large)]), [])
  const shown = opening.seen.map(({ path, sizeBytes, offset, bytes }) => [path, sizeBytes, offset, bytes.length])
  const piece = 256 * 1024
  assert.deepEqual(shown, [
    ['a.js', 0, 0, 0],
    ['b.bin', 600_000, 0, piece],
    ['b.bin', 600_000, piece, piece],
    ['b.bin', 600_000, 2 * piece, 600_000 - 2 * piece],
  ])
  assert.ok(Buffer.concat(opening.seen.map(({ bytes }) => bytes)).equals(large))
  assert.equal(opening.isClosed, true)
})

test('its findings are named after it, and those of files that are not there are about the package', async () => {
  const said: ScannerFinding[] = [
    { rule: 'key', severity: 'danger', file: 'index.js', line: 3, message: 'holds a key', fix: 'Take it out.' },
    { rule: 'note', severity: 'info', file: '../../etc/passwd', message: 'reads' },
  ]
  assert.deepEqual(await scan(async () => new Opening(() => said)), [
    { rule: 'words/key', severity: 'danger', file: 'index.js', line: 3, message: 'holds a key', fix: 'Take it out.' },
    { rule: 'words/note', severity: 'info', file: 'plugin.json', message: 'reads' },
  ])
})

test('one that is not there, that fails, or that takes too long, refuses with its name, the reason and what to do', async () => {
  const gone = new PlatformError('SCANNER_MISSING', 'there is no such plugin', { hint: 'Install acme/words.' })
  const [missing] = await scan(() => Promise.reject(gone))
  assert.deepEqual(missing, {
    rule: 'words/not-run',
    severity: 'danger',
    file: 'plugin.json',
    message: 'acme/words could not look: there is no such plugin',
    fix: 'Install acme/words.',
  })
  const broken = new Opening(() => Promise.reject(new Error('it died')))
  const [failed] = await scan(async () => broken)
  assert.match(failed?.message ?? '', /could not look: it died$/)
  assert.match(failed?.fix ?? '', /backplane why acme\/words/)
  assert.equal(broken.isClosed, true)
  const [late] = await scan(() => new Promise(() => undefined), [], 1)
  assert.match(late?.message ?? '', /it took longer than 1 ms$/)
  assert.equal(late?.severity, 'danger')
})

test('packages are looked through one after another, also after one that nobody waits for, and who leaves the queue hears it', async () => {
  const open = Promise.withResolvers<Opened>()
  const opened: string[] = []
  const stop = new AbortController()
  const all = pluginScanner({
    name: 'words',
    plugin: 'acme/words',
    open: ({ id }) => {
      opened.push(id)
      return id === 'acme/first' ? open.promise : Promise.resolve(new Opening())
    },
  })
  const first = all({ ...about, id: 'acme/first' }, [], stop.signal)
  const second = all({ ...about, id: 'acme/second' }, [], signal)
  const left = assert.rejects(first, { message: 'left' })
  await new Promise(setImmediate)
  assert.deepEqual(opened, ['acme/first'])
  const waiting = new AbortController()
  const third = all({ ...about, id: 'acme/third' }, [], waiting.signal)
  waiting.abort(new Error('tired of waiting'))
  await assert.rejects(third, { message: 'tired of waiting' })
  stop.abort(new Error('left'))
  await left
  assert.deepEqual(await second, [])
  assert.deepEqual(opened, ['acme/first', 'acme/second'])
})
