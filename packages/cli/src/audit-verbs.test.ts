import assert from 'node:assert/strict'
import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { test, type TestContext } from 'node:test'
import { memoryStore } from '@backplane/kernel'
import { auditFiles, auditKey, headInStore, openAuditLog, type AuditLog } from '@backplane/storage'
import { backplane, type Ran } from './fixtures/run-backplane.ts'
import { smallHost, type SmallHost } from './fixtures/small-host.ts'

interface Audited extends SmallHost {
  readonly log: AuditLog
  readonly files: string
  readonly key: string
  readonly run: (...args: readonly string[]) => Promise<Ran>
}

/** A host with a log of four records. */
async function audited(t: TestContext): Promise<Audited> {
  const { directory } = await smallHost(t)
  const [files, key] = [join(directory, 'audit'), join(directory, 'audit.key')]
  const log = await openAuditLog({ directory: files, key: await auditKey(key, { make: true }), head: headInStore(memoryStore()) })
  t.after(() => log[Symbol.asyncDispose]())
  const ci = { kind: 'token', name: 'ci', scope: 'admin', peer: '10.0.0.7' } as const
  for (const [at, action] of ['plugins.disable', 'plugins.enable', 'tokens.create', 'plugins.delete'].entries()) {
    const plugin = action.startsWith('plugins') ? 'demo/one' : undefined
    const outcome = at === 3 ? 'refused' : 'ok'
    await log.append({ actor: ci, action, subject: `s${at}\u001B[31m`, plugin, outcome, atMs: Date.now() - (4 - at) * 3_600_000 })
  }
  const host = await smallHost(t, { audit: log })
  const run = (...args: readonly string[]): Promise<Ran> => backplane(args, { env: { BACKPLANE_SOCKET: host.socket } })
  return { ...host, log, files, key, run }
}

test('audit list shows who did what, newest first, by plugin, actor, action, outcome and time', async (t) => {
  const { run } = await audited(t)
  const { out, code } = await run('audit', 'list')
  assert.equal(code, 0)
  assert.match(out, /^SEQ +AT +WHO +ACTION +SUBJECT +OUTCOME +REASON\n4 +\S+ +ci \(10\.0\.0\.7\) +plugins\.delete +s3.* refused/)
  assert.ok(!out.includes('\u001B'))
  const seqs = async (...args: readonly string[]): Promise<readonly number[]> =>
    JSON.parse((await run('audit', 'list', '--json', ...args)).out).records.map(({ seq }: { seq: number }) => seq)
  assert.deepEqual(await seqs('--plugin', 'demo/one'), [4, 2, 1])
  assert.deepEqual(await seqs('--action', 'plugins.*', '--limit', '1'), [4])
  assert.deepEqual(await seqs('--since', '150m'), [4, 3])
  assert.deepEqual(await seqs('--until', '150m', '--actor', 'ci'), [2, 1])
  assert.deepEqual(await seqs('--outcome', 'refused'), [4])
  assert.equal((await run('audit', 'list', '--since', 'yesterday')).code, 2)
  assert.equal((await run('audit', 'list', '--limit', '-1')).code, 2)
})

test('audit verify ends with 1 when the log was changed, asked of the host or of its files', async (t) => {
  const { run, files, key } = await audited(t)
  const sound = await run('audit', 'verify')
  assert.equal(sound.code, 0)
  const [, head = ''] = /^4 records, 1 to 4: as they were written\nhead (4:sha256:[0-9a-f]{64})\n$/.exec(sound.out) ?? []
  const here = await run('audit', 'verify', '--file', files, '--key-file', key, '--head', head)
  assert.deepEqual([here.code, here.out], [0, sound.out])
  assert.match((await run('audit', 'verify', '--file', files)).out, /not checked: who wrote them, whether the end was cut off/)
  const [file] = await auditFiles(files)
  const path = file?.path ?? ''
  const lines = (await readFile(path, 'utf8')).split('\n')
  await writeFile(path, `${lines.slice(0, 3).join('\n')}\n`)
  const cut = await run('audit', 'verify')
  assert.deepEqual([cut.code, /truncated: .*records 4 to 4 were taken off its end/.test(cut.out)], [1, true], cut.out)
  assert.equal((await run('audit', 'verify', '--file', path)).code, 0)
  assert.equal((await run('audit', 'verify', '--file', path, '--head', head)).code, 1)
  await writeFile(path, lines.join('\n').replace('tokens.create', 'tokens.delete'))
  const changed = await run('audit', 'verify', '--json')
  assert.deepEqual([changed.code, JSON.parse(changed.out).problems[0].seq], [1, 3])
})

test('what audit export takes out can be checked elsewhere', async (t) => {
  const { run, directory } = await audited(t)
  const exported = join(directory, 'audit.jsonl')
  await writeFile(exported, (await run('audit', 'export')).out)
  const { code, out } = await run('audit', 'verify', '--file', exported)
  assert.deepEqual([code, out.startsWith('4 records, 1 to 4')], [0, true])
  await writeFile(exported, (await run('audit', 'export', '--after', '2')).out)
  assert.match((await run('audit', 'verify', '--file', exported)).out, /^2 records, 3 to 4/)
})

test('audit refuses what it cannot check, and has examples', async (t) => {
  const { run, directory } = await audited(t)
  assert.equal((await run('audit', 'verify', '--head', '1:sha256:00')).code, 2)
  assert.equal((await run('audit', 'verify', '--file', directory, '--head', 'x')).code, 2)
  const missing = await run('audit', 'verify', '--file', join(directory, 'none'))
  assert.deepEqual([missing.code, missing.err.startsWith('AUDIT_UNREADABLE')], [66, true])
  const noKey = await run('audit', 'verify', '--file', directory, '--key-file', join(directory, 'none'))
  assert.deepEqual([noKey.code, noKey.err.startsWith('AUDIT_KEY_UNUSABLE')], [78, true])
  for (const verb of ['list', 'verify', 'export']) {
    assert.match((await run('audit', verb, '--help')).out, new RegExp(`Examples:\\n  backplane audit ${verb}`))
  }
})
