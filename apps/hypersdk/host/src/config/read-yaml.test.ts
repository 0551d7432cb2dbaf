import assert from 'node:assert/strict'
import { test } from 'node:test'
import { readYaml, readYamlHere, type YamlReading } from './read-yaml.ts'

/** Large enough to be read apart, and small enough for a test. */
const large = 64 * 1024

/** What this thread does for something, in µs of its processor; waiting does not count. */
async function workHere(work: () => unknown): Promise<number> {
  const before = process.threadCpuUsage()
  await work()
  const { user, system } = process.threadCpuUsage(before)
  return user + system
}

const expensive: readonly (readonly [name: string, text: string, kind: YamlReading['kind']])[] = [
  ['of many jobs', '- name: abcdefgh\n  vm: web-01\n  format: raw\n'.repeat(large / 44), 'value'],
  ['of empty maps', `[${'{},'.repeat(large / 3 - 2)}]`, 'value'],
  ['of empty lines', `a: 1\n${'\n'.repeat(large - 10)}`, 'value'],
  ['of nothing but mistakes', ']\n'.repeat(large / 2), 'problem'],
]

for (const [name, text, kind] of expensive) {
  test(`a large text ${name} costs the thread that asks little of what reading it costs`, async () => {
    let here: YamlReading | undefined
    let apart: YamlReading | undefined
    const reading = await workHere(() => (here = readYamlHere(text, 'body', { values: 100_000 })))
    const asking = await workHere(async () => (apart = await readYaml(text, 'body', { values: 100_000 })))
    assert.equal(here?.kind, kind)
    assert.deepEqual(apart, here)
    assert.ok(asking < reading / 3, `${asking} µs here, ${reading} µs to read it`)
  })
}

test('the thread goes on with other things while a text is read, and texts are read one after the other', async () => {
  const text = expensive[0]?.[1] ?? ''
  const order: string[] = []
  const reads = ['first', 'second'].map(async (name) => {
    await readYaml(text, 'body', { values: 100_000 })
    order.push(name)
  })
  let turns = 0
  const counting = setInterval(() => turns++, 1)
  await Promise.all(reads)
  clearInterval(counting)
  assert.deepEqual(order, ['first', 'second'])
  assert.ok(turns > 2, String(turns))
})

test('a short text is read where it is, a longer one to the limits of its thread', async () => {
  assert.deepEqual(await readYaml('a: 1', 'body'), { kind: 'value', value: { a: 1 } })
  assert.deepEqual(await readYaml('a: &x 1\nb: *x', 'body', { bytesHere: 0, aliases: false }), {
    kind: 'problem',
    problem: { file: 'body', line: 2, column: 4, path: 'b', message: 'aliases are not taken here' },
  })
  const text = expensive[0]?.[1] ?? ''
  const late = await readYaml(text, 'body', { timeoutMs: 1 })
  assert.deepEqual(late, { kind: 'given-up', reason: 'reading it took longer than 1 ms' })
  const greedy = await readYaml('- {}\n'.repeat(large), 'body', { memoryMiB: 8, values: 100_000 })
  assert.equal(greedy.kind, 'given-up')
  assert.deepEqual(await readYaml('a: 1', 'body', { bytesHere: 0 }), { kind: 'value', value: { a: 1 } })
})
