import assert from 'node:assert/strict'
import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { test } from 'node:test'
import { temporaryDirectory } from '@backplane/testing'
import { entry, found, tenRecords } from '../fixtures/audit-bed.ts'
import { auditFiles, verifyAudit } from '../index.ts'
import { nextRecord } from './audit-chain.ts'

test('a changed record is found and named', async (t) => {
  const { file, lines, verify } = await tenRecords(t)
  await writeFile(file, `${lines.join('\n').replace('demo/p4', 'demo/xx')}\n`)
  assert.deepEqual(found(await verify()), [['changed', 4]])
})

test('a removed record is found and named', async (t) => {
  const { file, lines, verify } = await tenRecords(t)
  await writeFile(file, `${lines.toSpliced(5, 2).join('\n')}\n`)
  const report = await verify()
  assert.deepEqual(found(report), [['removed', 6]])
  assert.match(report.problems[0]?.message ?? '', /records 6 to 7 are missing/)
})

test('records that changed places are found and named', async (t) => {
  const { file, lines, verify } = await tenRecords(t)
  await writeFile(file, `${[...lines.slice(0, 2), lines[3], lines[2], ...lines.slice(4)].join('\n')}\n`)
  assert.deepEqual(found(await verify()), [['reordered', 3]])
})

test('an inserted record is found, also one that is chained as if it belonged there', async (t) => {
  const { file, lines, verify } = await tenRecords(t)
  await writeFile(file, `${lines.toSpliced(5, 0, lines[1] ?? '').join('\n')}\n`)
  assert.deepEqual(found(await verify()), [['inserted', 2]])
  const fifth = JSON.parse(lines[4] ?? '')
  const forged = nextRecord(entry('demo/forged'), { seq: 5, digest: fifth.digest }, Buffer.alloc(32)).line
  await writeFile(file, `${lines.toSpliced(5, 0, forged).join('\n')}\n`)
  assert.deepEqual(found(await verify()), [
    ['changed', 6],
    ['inserted', 6],
  ])
})

test('what is put between two records is found however long it is, and whatever way a file is read', async (t) => {
  const made = await tenRecords(t)
  const { file, lines, verify } = made
  const before = Buffer.from(`${lines.slice(0, 5).join('\n')}\n`)
  const after = Buffer.from(`${lines.slice(5).join('\n')}\n`)
  // So that a record begins where a block of what is read at once does.
  const longs = [17, 18, 40].map((blocks) => 'x'.repeat(blocks * 65_536 - before.length))
  for (const long of longs) {
    await writeFile(file, Buffer.concat([before, Buffer.from(long), after]))
    assert.equal((await verify()).ok, false, String(long.length))
  }
  const log = await made.open()
  await log.append(entry('demo/on'))
  assert.equal((await log.page({ action: 'audit.broken' })).records.length, 1)
})

test('records taken off the end are found by the head, which is elsewhere', async (t) => {
  const { file, lines, verify } = await tenRecords(t)
  await writeFile(file, `${lines.slice(0, 7).join('\n')}\n`)
  const report = await verify()
  assert.deepEqual(found(report), [['truncated', 8]])
  const alone = await verifyAudit(await auditFiles(file))
  assert.deepEqual([alone.ok, alone.checked], [true, { key: false, head: false }], 'without the head nobody could know')
})

test('a log that was written anew as a whole is found by its head, by its key, and by a digest noted elsewhere', async (t) => {
  const { file, lines, key, verify } = await tenRecords(t)
  const forge = (with_: Uint8Array): string => {
    let last = { seq: 0, digest: JSON.parse(lines[0] ?? '').prev as string }
    return lines
      .map((line) => {
        const { seq: _seq, prev: _prev, digest: _digest, mac: _mac, at: _at, ...kept } = JSON.parse(line)
        const { record, line: forged } = nextRecord({ ...kept, subject: 'demo/forged' }, last, with_)
        last = { seq: record.seq, digest: record.digest }
        return `${forged}\n`
      })
      .join('')
  }
  const noted = JSON.parse(lines[9] ?? '')
  await writeFile(file, forge(Buffer.alloc(32)))
  const files = await auditFiles(file)
  assert.equal((await verifyAudit(files)).ok, true, 'a chain alone proves nothing against who can write it anew')
  assert.deepEqual(found(await verifyAudit(files, { key }))[0], ['changed', 1])
  assert.deepEqual(found(await verifyAudit(files, { head: { seq: 10, digest: noted.digest } })), [['changed', 10]])
  await writeFile(file, forge(key))
  assert.deepEqual(found(await verify()), [['changed', 10]], 'with the key only the head tells')
})

test('any byte that is flipped is found, and the record it is in is named', async (t) => {
  const { file, verify } = await tenRecords(t)
  const whole = await readFile(file)
  for (let at = 0; at < whole.length; at += 97) {
    const changed = Buffer.from(whole)
    changed[at] = (changed[at] ?? 0) ^ 1
    await writeFile(file, changed)
    const seq = whole.subarray(0, at).filter((byte) => byte === 10).length + 1
    const { problems } = await verify()
    assert.ok(
      problems.some((problem) => Math.abs(problem.seq - seq) <= 1),
      `byte ${at}`,
    )
  }
})

test('a log that is not there cannot be read', async (t) => {
  await assert.rejects(auditFiles(join(await temporaryDirectory(t), 'none')), { code: 'AUDIT_UNREADABLE' })
})
