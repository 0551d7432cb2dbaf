import assert from 'node:assert/strict'
import { test } from 'node:test'
import { submittedJobs } from './submitted-jobs.ts'

const json = 'application/json'
const yaml = 'application/yaml'

test('a body is one job, a list under jobs, or a bare list, in JSON or YAML', async () => {
  assert.deepEqual(await submittedJobs('{"name":"a"}', json), [{ name: 'a' }])
  assert.deepEqual(await submittedJobs('[{"name":"a"},{"name":"b"}]', json), [{ name: 'a' }, { name: 'b' }])
  assert.deepEqual(await submittedJobs('jobs:\n  - name: a\n  - name: b\n', yaml), [{ name: 'a' }, { name: 'b' }])
  assert.deepEqual(await submittedJobs('name: a\n', yaml), [{ name: 'a' }])
})

test('a body that holds no job, or something beside jobs, is refused with what is wrong', async () => {
  for (const text of ['[]', '{"jobs":[]}', '"x"', '{"jobs":{}}', '{', '{"jobs":[{}],"job":1}']) {
    await assert.rejects(submittedJobs(text, json), { code: 'JOB_BODY_INVALID' }, text)
  }
})

test('YAML that is broken, gives a key twice or grows by aliases is refused with its place', async () => {
  const refused: readonly (readonly [text: string, message: RegExp])[] = [
    ['a: [1\nb: 2', /line 2, column 1: /],
    ['name: a\nname: b\n', /line 2, column 1: name: this key is given twice/],
    ['a: &x [1]\nb: *x\n', /line 2, column 4: b: aliases are not taken here/],
    ['{__proto__: {}}', /cannot be a key/],
  ]
  for (const [text, message] of refused) {
    await assert.rejects(submittedJobs(text, yaml), { code: 'JOB_BODY_INVALID', message }, text)
  }
})

test('YAML that is nested too deep, or comes to too much, is refused', async () => {
  const nested = '['.repeat(100) + ']'.repeat(100)
  await assert.rejects(submittedJobs(nested, yaml), { code: 'JOB_BODY_INVALID', message: /more than 64 deep/ })
  const many = `[${'1,'.repeat(100_001)}]`
  await assert.rejects(submittedJobs(many, yaml), { code: 'JOB_BODY_INVALID', message: /more than 100000 values/ })
})

test('YAML of more than 256 KiB is refused before it is read, and JSON of that size is not', async () => {
  const filled = (bytes: number): string => `name: "${'x'.repeat(bytes - 8)}"`
  assert.equal((await submittedJobs(filled(256 * 1024), yaml)).length, 1)
  await assert.rejects(submittedJobs(filled(256 * 1024 + 1), yaml), {
    code: 'JOB_BODY_TOO_LARGE',
    message: /262144 bytes/,
    hint: /JSON, which may be larger/,
  })
  // What would be a syntax error, had anybody looked.
  await assert.rejects(submittedJobs('{'.repeat(300_000), yaml), { code: 'JOB_BODY_TOO_LARGE' })
  assert.equal((await submittedJobs(JSON.stringify({ name: 'x'.repeat(512 * 1024) }), json)).length, 1)
})
