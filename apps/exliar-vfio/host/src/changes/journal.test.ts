import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { appendFileSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { test, type TestContext } from 'node:test'
import { madeTree } from '../fixtures/materialise.ts'
import { MachineTree } from '../machine/machine-tree.ts'
import { Journal } from './journal.ts'

const path = '/journal.jsonl'

async function written(t: TestContext): Promise<{ file: string; tree: MachineTree }> {
  const root = await madeTree(t, { 'etc/': '' })
  const tree = MachineTree.open(root)
  const journal = Journal.read(tree, path)
  journal.append({ type: 'opened', version: 1, made: [] })
  journal.append({ type: 'begun', run: 1, title: 'a' })
  journal.append({ type: 'ended', run: 1, as: 'applied' })
  return { file: join(root, path), tree }
}

test('what was appended is read again, and a line that a kill cut off is dropped and written over', async (t) => {
  const { file, tree } = await written(t)
  appendFileSync(file, '{"hash":"12')
  const journal = Journal.read(tree, path)
  assert.deepEqual(
    journal.records.map(({ type }) => type),
    ['opened', 'begun', 'ended'],
  )
  journal.append({ type: 'begun', run: 2, title: 'b' })
  assert.equal(Journal.read(tree, path).records.length, 4)
})

test('a journal that cannot be written says so, and has nothing more than before', async (t) => {
  const journal = Journal.read(MachineTree.open(await madeTree(t, { 'etc/': '' })), '/missing/journal.jsonl')
  assert.throws(() => journal.append({ type: 'opened', version: 1, made: [] }), { code: 'TREE_UNWRITABLE' })
  assert.deepEqual(journal.records, [])
})

test('a line that the disk has no room for is an error, and the journal goes on once there is room', async (t) => {
  const root = await madeTree(t, { 'etc/': '' })
  const module = (file: string): string => JSON.stringify(new URL(file, import.meta.url).href)
  const script = `
    const { MachineTree } = await import(${module('../machine/machine-tree.ts')})
    const { Journal } = await import(${module('journal.ts')})
    const journal = Journal.read(MachineTree.open(${JSON.stringify(root)}), ${JSON.stringify(path)})
    let whole = 0
    try { for (;; whole++) journal.append({ type: 'begun', run: whole + 1, title: 'x'.repeat(300) }) }
    catch (error) { console.log(JSON.stringify({ whole, code: error.code, has: journal.records.length })) }`
  const node = [process.execPath, '--conditions=@backplane/source', '--input-type=module', '-e', script]
  const { stdout, stderr } = spawnSync('sh', ['-c', 'ulimit -f 4; exec "$@"', 'sh', ...node], { encoding: 'utf8' })
  assert.notEqual(stdout, '', stderr)
  const { whole, ...end } = JSON.parse(stdout) as { whole: number }
  assert.deepEqual(end, { code: 'TREE_UNWRITABLE', has: whole })
  const journal = Journal.read(MachineTree.open(root), path)
  assert.equal(journal.records.length, whole)
  journal.append({ type: 'ended', run: whole, as: 'rolled-back' })
  assert.equal(Journal.read(MachineTree.open(root), path).records.length, whole + 1)
})

test('a line that was changed, taken out or made up is named', async (t) => {
  const { file, tree } = await written(t)
  const text = readFileSync(file, 'utf8')
  const lines = text.split('\n')
  const spoiled = [
    [text.replace('"title":"a"', '"title":"b"'), 2],
    [[lines[0], ...lines.slice(2)].join('\n'), 2],
    [`${text}{}\n`, 4],
  ] as const
  for (const [content, line] of spoiled) {
    writeFileSync(file, content)
    assert.throws(() => Journal.read(tree, path), { code: 'JOURNAL_DAMAGED', message: new RegExp(`line ${line}:`) })
  }
})
