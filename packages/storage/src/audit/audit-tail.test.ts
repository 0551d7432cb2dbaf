import assert from 'node:assert/strict'
import { appendFile, readFile, rm, truncate, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { test } from 'node:test'
import { auditBed, copyOf, entry, tenRecords } from '../fixtures/audit-bed.ts'
import { auditFiles, headInStore, verifyAudit } from '../index.ts'
import { nextRecord } from './audit-chain.ts'

test('what was being written when the host was killed is cut off, whatever is left of it, and that is written down', async (t) => {
  const made = await auditBed(t)
  const log = await made.open()
  await log.append(entry('demo/told'))
  await log[Symbol.asyncDispose]()
  const [file] = await auditFiles(made.directory)
  assert.ok(file)
  const told = await readFile(file.path)
  const { line } = nextRecord(entry('demo/torn'), log.last, made.key)
  for (const torn of [line.slice(0, 1), line.slice(0, 100), line, '\0'.repeat(512)]) {
    await writeFile(file.path, Buffer.concat([told, Buffer.from(torn)]))
    const before = await verifyAudit([file], { key: made.key })
    assert.deepEqual([before.ok, before.tornBytes, before.records], [true, torn.length, 1])
    const again = await made.open({ head: headInStore(await copyOf(made.store)) })
    await again.append(entry('demo/next'))
    const { records } = await again.page({ after: 0 })
    assert.deepEqual(
      records.map(({ action, subject }) => (action === 'audit.repaired' ? action : subject)),
      ['demo/told', 'audit.repaired', 'demo/next'],
    )
    assert.equal((await again.verify()).ok, true)
    await again[Symbol.asyncDispose]()
  }
})

test('a file that was begun and is empty, or holds a torn first record, does not stand in the way', async (t) => {
  const made = await tenRecords(t)
  const begun = join(made.directory, '000000000011.jsonl')
  for (const text of ['', '{"action":"x']) {
    await writeFile(begun, text)
    const log = await made.open({ head: headInStore(await copyOf(made.store)) })
    assert.ok((await log.append(entry('demo/on'))).seq >= 11)
    assert.equal((await log.verify()).ok, true)
    await log[Symbol.asyncDispose]()
    await writeFile(made.file, `${made.lines.join('\n')}\n`)
  }
})

test('a record that was told and is damaged is kept for whoever looks into it, also when nothing else is in its file', async (t) => {
  const made = await tenRecords(t)
  const log = await made.open({ maxFileBytes: 1 })
  await log.append(entry('demo/alone'))
  await log[Symbol.asyncDispose]()
  const files = await auditFiles(made.directory)
  const newest = files.at(-1)?.path ?? ''
  const damaged = (await readFile(newest, 'utf8')).replace('{', '')
  await writeFile(newest, damaged)
  const again = await made.open()
  await again.append(entry('demo/on'))
  assert.equal(await readFile(newest, 'utf8'), damaged)
  assert.equal((await again.page({ action: 'audit.broken' })).records.length, 1)
})

test('a host whose log was cut, changed or removed goes on in a new file, says so, and the check goes on failing', async (t) => {
  const cuts: ((file: string, lines: string[]) => Promise<void>)[] = [
    (file, lines) => writeFile(file, `${lines.slice(0, 8).join('\n')}\n`),
    (file, lines) => writeFile(file, `${lines.join('\n').replace('demo/p4', 'demo/xx')}\n`),
    (file) => rm(file),
  ]
  for (const cut of cuts) {
    const made = await tenRecords(t)
    await cut(made.file, made.lines)
    const log = await made.open()
    assert.equal((await log.append(entry('demo/on'))).seq, 12)
    const { records } = await log.page({ after: 10 })
    assert.deepEqual(
      records.map(({ seq, action }) => [seq, action]),
      [
        [11, 'audit.broken'],
        [12, 'plugin.disable'],
      ],
    )
    assert.equal((await log.verify()).ok, false)
  }
})

test('a head that was removed, or is not of this key, is written down', async (t) => {
  for (const forged of [undefined, '{"from":{},"last":{"seq":1},"mac":"x"}', 'nonsense']) {
    const made = await tenRecords(t)
    if (forged === undefined) await made.store.delete('audit', 'head')
    else await made.store.set('audit', 'head', forged)
    const log = await made.open()
    await log.append(entry('demo/on'))
    const { records } = await log.page({ after: 10 })
    assert.deepEqual([records[0]?.action, records[0]?.reason?.includes('was lost')], ['audit.broken', true])
  }
})

test('a log that somebody cuts, adds to, replaces or removes while it is in use goes on in a new file and says so', async (t) => {
  const hands: ((file: string) => Promise<void>)[] = [
    (file) => truncate(file, 10),
    (file) => appendFile(file, 'x'),
    (file) => rm(file),
    async (file) => {
      const text = await readFile(file)
      await rm(file)
      await writeFile(file, text)
    },
  ]
  for (const meddle of hands) {
    const made = await auditBed(t)
    const log = await made.open()
    await log.append(entry('demo/a'))
    await log.append(entry('demo/b'))
    const [file] = await auditFiles(made.directory)
    await meddle(file?.path ?? '')
    await log.append(entry('demo/c'))
    await log.append(entry('demo/d'))
    const { records } = await log.page({ action: 'audit.*' })
    assert.deepEqual(
      records.map(({ action }) => action),
      ['audit.broken'],
    )
  }
})

test('a log whose files and key are both moved away begins anew, and says that something was there before', async (t) => {
  const made = await tenRecords(t)
  await rm(made.directory, { recursive: true })
  const log = await made.open({ key: Buffer.alloc(32, 7) })
  await log.append(entry('demo/on'))
  const { records } = await log.page({ after: 0 })
  assert.deepEqual(
    records.map(({ seq, action }) => [seq, action]),
    [
      [1, 'audit.broken'],
      [2, 'plugin.disable'],
    ],
  )
  assert.equal((await log.verify()).ok, true)
})
