import assert from 'node:assert/strict'
import { mkdir, readdir, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { test } from 'node:test'
import { shelf } from './fixtures/shelf.ts'

const { signal } = new AbortController()
const options = { signal }

test('a version is published once, and what nobody needs any more of an index goes', async (t) => {
  const { add, sign, folder, reader } = await shelf(t)
  assert.deepEqual((await add('s3')).added, ['acme/s3@1.0.0'])
  assert.deepEqual((await add('s3')).added, [], 'the same again is no change')
  await assert.rejects(add('s3', { description: 'other' }), {
    code: 'INDEX_TAKEN',
    message: 'the index has acme/s3 1.0.0 already, with other bytes',
  })
  await add('s3', { version: '1.1.0' })
  await add('s3', { version: '1.2.0' })
  assert.deepEqual((await readdir(join(folder, 'plugins/acme'))).sort(), ['s3.3.json', 's3.4.json'])
  assert.equal((await reader().versions('index:acme/s3', options)).length, 3)
  await assert.rejects(sign({ keys: [] }), { code: 'TRUST_ENVELOPE_INVALID' })
  await assert.rejects(sign({ keys: ['x'] }), { code: 'TRUST_KEY_INVALID' })
  await assert.rejects(sign({ deprecated: { 'acme/s3@7.0.0': 'old' } }), { code: 'INDEX_INVALID', message: /has no acme\/s3@7/ })
  await assert.rejects(add('s3', { id: '../evil' }), { code: 'INDEX_INVALID' })
})

test('writing that fails half-way leaves the index as it was, and can be done again', async (t) => {
  const { add, folder, reader } = await shelf(t)
  const versions = async (): Promise<readonly string[]> =>
    (await reader().versions('index:acme/s3', options)).map(({ version }) => version)
  await add('s3')
  const obstacle = join(folder, 'plugins/acme/s3.2.json')
  await mkdir(obstacle)
  await assert.rejects(add('s3', { version: '1.1.0' }), { code: 'SOURCE_STORE_FAILED' })
  assert.deepEqual(await versions(), ['1.0.0'])
  await rm(obstacle, { recursive: true })
  assert.deepEqual((await add('s3', { version: '1.1.0' })).added, ['acme/s3@1.1.0'])
  assert.deepEqual(await versions(), ['1.1.0', '1.0.0'])
})
