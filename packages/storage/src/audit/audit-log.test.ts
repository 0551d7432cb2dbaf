import assert from 'node:assert/strict'
import { open as openFile, readdir, readFile, rename, rm, stat, writeFile, type FileHandle } from 'node:fs/promises'
import { join } from 'node:path'
import { test, type TestContext } from 'node:test'
import type { AuditEntry } from '@backplane/kernel'
import { temporaryDirectory } from '@backplane/testing'
import { auditBed, entry } from '../fixtures/audit-bed.ts'
import { auditFiles, auditKey, canonicalJson, headInStore, type AuditLog } from '../index.ts'

test('records are chained in the order they were given, on the disk when told, and only for the host to read', async (t) => {
  const { directory, open, verify } = await auditBed(t)
  const log = await open()
  const records = await Promise.all(['demo/a', 'demo/b', 'demo/c'].map((id) => log.append(entry(id))))
  assert.deepEqual(
    records.map(({ seq, subject }) => [seq, subject]),
    [
      [1, 'demo/a'],
      [2, 'demo/b'],
      [3, 'demo/c'],
    ],
  )
  assert.equal(records[2]?.prev, records[1]?.digest)
  const [file] = await auditFiles(directory)
  const text = await readFile(file?.path ?? '', 'utf8')
  assert.equal(text, records.map((record) => `${canonicalJson(record)}\n`).join(''))
  assert.deepEqual([(await stat(directory)).mode & 0o777, (await stat(file?.path ?? '')).mode & 0o777], [0o700, 0o600])
  const report = await verify()
  assert.deepEqual([report.ok, report.records, report.first, report.last], [true, 3, 1, 3])
  assert.deepEqual(report.checked, { key: true, head: true })
  assert.deepEqual(await log.verify(), report)
})

test('a log that is opened again goes on where it was', async (t) => {
  const { open, verify } = await auditBed(t)
  const first = await open()
  await first.append(entry('demo/a'))
  await first[Symbol.asyncDispose]()
  await assert.rejects(first.append(entry('demo/late')), { code: 'AUDIT_UNWRITABLE' })
  const second = await open()
  assert.equal((await second.append(entry('demo/b'))).seq, 2)
  assert.deepEqual([(await verify()).ok, (await verify()).records], [true, 2])
})

test('a full file is followed by another, the chain goes on across them, and only the newest are kept', async (t) => {
  const anchors: number[] = []
  const { directory, open, verify } = await auditBed(t)
  const options = { maxFileBytes: 4_000, keepFiles: 3, onAnchor: ({ seq }: { seq: number }) => void anchors.push(seq) }
  const log = await open(options)
  for (let number = 1; number <= 40; number += 1) await log.append(entry(`demo/p${number}`))
  const files = await auditFiles(directory)
  assert.equal(files.length, 3)
  for (const { path } of files) assert.ok((await stat(path)).size <= 4_000)
  const report = await log.verify()
  assert.deepEqual([report.ok, report.first], [true, files[0]?.first])
  assert.ok(report.first > 1)
  assert.equal((await verify()).ok, true)
  const pruned = await log.page({ action: 'audit.pruned' })
  assert.ok(pruned.records.length > 0 || pruned.next !== undefined)
  assert.ok(anchors.length > 3)
  await log[Symbol.asyncDispose]()
  await rm(files[0]?.path ?? '')
  assert.equal((await (await open(options)).verify()).problems[0]?.kind, 'removed', 'what the host did not remove is missing')
})

test('records are found page by page, newest first or from a number on, by plugin, actor, action, outcome and time', async (t) => {
  const { open } = await auditBed(t)
  const log = await open({ maxFileBytes: 2_000 })
  for (let number = 1; number <= 20; number += 1) {
    const more = number % 2 === 0 ? {} : { actor: { kind: 'plugin', name: 'demo/odd' }, action: 'secret.read' }
    await log.append({ ...entry(`demo/p${number % 5}`), ...more, atMs: number * 1_000 } as AuditEntry)
  }
  const all = async (query: Parameters<AuditLog['page']>[0], step: 'before' | 'after'): Promise<readonly number[]> => {
    const seqs: number[] = []
    for (let next: number | undefined, page = 0; page === 0 || next !== undefined; page += 1) {
      const answer = await log.page({ ...query, ...(next === undefined ? {} : { [step]: next }) })
      seqs.push(...answer.records.map(({ seq }) => seq))
      next = answer.next
      assert.ok(page < 50)
    }
    return seqs
  }
  const numbers = Array.from({ length: 20 }, (_, at) => at + 1)
  assert.deepEqual(await all({ after: 0, limit: 3 }, 'after'), numbers)
  assert.deepEqual(await all({ limit: 3 }, 'before'), numbers.toReversed())
  assert.deepEqual(await all({ plugin: 'demo/p3' }, 'before'), [18, 13, 8, 3])
  assert.deepEqual(await all({ actor: 'demo/odd', plugin: 'demo/p1' }, 'before'), [11, 1])
  assert.deepEqual((await all({ action: 'secret.*', limit: 1 }, 'before')).length, 10)
  assert.deepEqual(await all({ sinceMs: 5_000, untilMs: 7_000 }, 'before'), [6, 5])
  assert.deepEqual(await all({ outcome: 'refused' }, 'before'), [])
})

test('while nothing can be written it is refused, what was noted is counted, and both end by themselves', async (t) => {
  const { directory, store, open } = await auditBed(t)
  let full = false
  const head = headInStore(store)
  const troubles: (string | undefined)[] = []
  const log = await open({ head, onTrouble: (trouble) => void troubles.push(trouble?.code) })
  await log.append(entry('demo/a'))
  const prototype = Object.getPrototypeOf(await handleOf(t, directory)) as { write: FileHandle['write'] }
  const { write } = prototype
  t.mock.method(prototype, 'write', async function fill(this: FileHandle, bytes: Uint8Array, offset: number) {
    if (!full) return Reflect.apply(write, this, [bytes, offset])
    // As a volume that fills up within a write does it.
    await Reflect.apply(write, this, [bytes.subarray(0, 10), 0])
    throw Object.assign(new Error('ENOSPC: no space left on device'), { code: 'ENOSPC' })
  })
  full = true
  await assert.rejects(log.append(entry('demo/b')), { code: 'AUDIT_UNWRITABLE' })
  assert.equal(log.trouble?.code, 'AUDIT_UNWRITABLE')
  log.note(entry('demo/lost'))
  log.note(entry('demo/lost'))
  await assert.rejects(log.append(entry('demo/b')), { code: 'AUDIT_UNWRITABLE' })
  full = false
  assert.equal((await log.append(entry('demo/c'))).seq, 3)
  const { records } = await log.page({ after: 0 })
  assert.deepEqual(
    records.map(({ subject, reason }) => reason ?? subject),
    ['demo/a', '2 entries could not be written and are lost', 'demo/c'],
  )
  assert.equal((await log.verify()).ok, true)
  assert.deepEqual(troubles, ['AUDIT_UNWRITABLE', undefined])
})

test('a head that cannot be kept counts as not written', async (t) => {
  const { store, open } = await auditBed(t)
  const head = headInStore(store)
  let broken = false
  const save = (text: string): Promise<void> => (broken ? Promise.reject(new Error('full')) : head.save(text))
  const log = await open({ head: { load: head.load, save } })
  broken = true
  await assert.rejects(log.append(entry('demo/a')), { code: 'AUDIT_UNWRITABLE' })
  broken = false
  await log.append(entry('demo/b'))
  assert.deepEqual([(await log.verify()).ok, log.last.seq], [true, 2])
})

test('a directory that is moved away is not made anew: nothing is written until it is back, and then all goes on', async (t) => {
  const { directory, open } = await auditBed(t)
  const log = await open()
  await log.append(entry('demo/a'))
  await rename(directory, `${directory}.away`)
  await assert.rejects(log.append(entry('demo/b')), { code: 'AUDIT_UNWRITABLE' })
  log.note(entry('demo/lost'))
  await assert.rejects(log.append(entry('demo/b')), { code: 'AUDIT_UNWRITABLE' })
  await assert.rejects(stat(directory), { code: 'ENOENT' })
  await rename(`${directory}.away`, directory)
  await log.append(entry('demo/c'))
  const { records } = await log.page({ after: 0 })
  assert.deepEqual(
    records.map(({ action, subject }) => (action === 'audit.gap' ? action : subject)),
    ['demo/a', 'audit.gap', 'demo/c'],
  )
  assert.equal((await log.verify()).ok, true)
})

test('what is missing is still said when the log is closed before that writing works again was found', async (t) => {
  const { directory, open } = await auditBed(t)
  const log = await open()
  await log.append(entry('demo/a'))
  await rename(directory, `${directory}.away`)
  await assert.rejects(log.append(entry('demo/b')), { code: 'AUDIT_UNWRITABLE' })
  log.note(entry('demo/lost'))
  await assert.rejects(log.append(entry('demo/b')), { code: 'AUDIT_UNWRITABLE' })
  await rename(`${directory}.away`, directory)
  await log[Symbol.asyncDispose]()
  const { records } = await (await open()).page({ after: 1 })
  assert.deepEqual(
    records.map(({ action }) => action),
    ['audit.gap', 'audit.resumed'],
  )
})

test('that writing works again is found by itself, and written down', async (t) => {
  const { directory, open } = await auditBed(t)
  const resumed = Promise.withResolvers<void>()
  const log = await open({ retryMs: 5, onTrouble: (trouble) => trouble ?? resumed.resolve() })
  await log.append(entry('demo/a'))
  await rename(directory, `${directory}.away`)
  await assert.rejects(log.append(entry('demo/b')), { code: 'AUDIT_UNWRITABLE' })
  await rename(`${directory}.away`, directory)
  await resumed.promise
  const { records } = await log.page({})
  assert.deepEqual([records[0]?.action, log.trouble], ['audit.resumed', undefined])
})

test('more entries at once than may wait are refused, or counted', async (t) => {
  const { open } = await auditBed(t)
  const log = await open({ maxWaiting: 2 })
  const first = [log.append(entry('demo/a')), log.append(entry('demo/b'))]
  await assert.rejects(log.append(entry('demo/c')), { code: 'AUDIT_UNWRITABLE' })
  log.note(entry('demo/d'))
  await Promise.all(first)
  await log.append(entry('demo/e'))
  const { records } = await log.page({ action: 'audit.gap' })
  assert.match(records[0]?.reason ?? '', /^1 entries/)
})

test('what is left out while others are being written is counted as well', async (t) => {
  const { open, store } = await auditBed(t)
  const head = headInStore(store)
  const gate = Promise.withResolvers<void>()
  const begun = Promise.withResolvers<void>()
  const save = async (text: string): Promise<void> => {
    begun.resolve()
    await gate.promise
    await head.save(text)
  }
  const log = await open({ maxWaiting: 1, head: { load: head.load, save } })
  const first = log.append(entry('demo/a'))
  await begun.promise
  for (const name of ['b', 'c', 'd']) log.note(entry(`demo/${name}`))
  gate.resolve()
  await first
  await log.append(entry('demo/e'))
  const { records } = await log.page({ after: 0 })
  assert.deepEqual(
    records.map(({ subject, reason }) => reason ?? subject),
    ['demo/a', '2 entries could not be written and are lost', 'demo/b', 'demo/e'],
  )
})

test('an entry is written whenever it comes, also in the very moment in which the one before it is done', async (t) => {
  for (let turns = 0; turns < 16; turns += 1) {
    const { open, store } = await auditBed(t)
    const head = headInStore(store)
    const said: Promise<unknown>[] = []
    const save = async (text: string): Promise<void> => {
      await head.save(text)
      if (said.length > 0) return
      said.push(
        (async () => {
          for (let turn = 0; turn < turns; turn += 1) await Promise.resolve()
          return log.append(entry('demo/b'))
        })(),
      )
    }
    const log = await open({ head: { load: head.load, save } })
    await log.append(entry('demo/a'))
    await Promise.all(said)
    assert.equal(log.last.seq, 2, String(turns))
  }
})

test('texts are cut, values of secrets are taken out, and what is no text of its own becomes one', async (t) => {
  const { directory, open } = await auditBed(t)
  const log = await open({ redact: (text) => text.replaceAll('canary-1234', '[redacted]') })
  await log.append({
    ...entry(`demo/\uD800 ${'x'.repeat(2_000)}`),
    reason: 'it said canary-1234',
    details: { note: 'canary-1234', ...Object.fromEntries(Array.from({ length: 50 }, (_, at) => [`n${at}`, at])) },
  })
  const [name = ''] = await readdir(directory)
  const text = await readFile(join(directory, name), 'utf8')
  assert.ok(!text.includes('canary') && text.length < 2_000, text)
  assert.equal((await log.verify()).ok, true)
})

test('details that would make a record longer than one can be are left out, and counted', async (t) => {
  const { open } = await auditBed(t)
  const log = await open()
  const long = '\u0001'.repeat(500)
  const details = Object.fromEntries(Array.from({ length: 20 }, (_, at) => [`${at}${long}`, long]))
  await log.append({ ...entry('demo/long'), reason: long, details })
  await log.append(entry('demo/next'))
  const { records } = await log.page({ after: 0 })
  assert.deepEqual(
    records.map((record) => [record.subject, record.details]),
    [
      ['demo/long', { left_out: 20 }],
      ['demo/next', undefined],
    ],
  )
  assert.equal((await log.verify()).ok, true)
})

test('a key that others may read, that is no key or is missing is refused', async (t) => {
  const root = await temporaryDirectory(t)
  const path = join(root, 'audit.key')
  await assert.rejects(auditKey(path), { code: 'AUDIT_KEY_UNUSABLE' })
  const made = await auditKey(path, { make: true })
  assert.deepEqual(await auditKey(path, { make: true }), made)
  await writeFile(path, 'short\n')
  await assert.rejects(auditKey(path), { code: 'AUDIT_KEY_UNUSABLE' })
  await rm(path)
  await writeFile(path, Buffer.from(made).toString('base64'), { mode: 0o644 })
  await assert.rejects(auditKey(path), { code: 'AUDIT_KEY_UNUSABLE', message: /others may read it/ })
})

async function handleOf(t: TestContext, directory: string): Promise<object> {
  const handle = await openFile(directory, 'r')
  t.after(() => handle.close().catch(() => undefined))
  return handle
}
