import assert from 'node:assert/strict'
import { test } from 'node:test'
import { submittedJobs } from './submitted-jobs.ts'

const json = 'application/json'
const yaml = 'application/yaml'

test('a body is one job, a list under jobs, or a bare list, in JSON or YAML', () => {
  assert.deepEqual(submittedJobs('{"name":"a"}', json), [{ name: 'a' }])
  assert.deepEqual(submittedJobs('[{"name":"a"},{"name":"b"}]', json), [{ name: 'a' }, { name: 'b' }])
  assert.deepEqual(submittedJobs('jobs:\n  - name: a\n  - name: b\n', yaml), [{ name: 'a' }, { name: 'b' }])
  assert.deepEqual(submittedJobs('name: a\n', yaml), [{ name: 'a' }])
})

test('a body that holds no job, or something beside jobs, is refused with what is wrong', () => {
  for (const text of ['[]', '{"jobs":[]}', '"x"', '{"jobs":{}}', '{', '{"jobs":[{}],"job":1}']) {
    assert.throws(() => submittedJobs(text, json), { code: 'JOB_BODY_INVALID' }, text)
  }
})

test('YAML that is broken, gives a key twice or grows by aliases is refused with its place', () => {
  const refused: readonly (readonly [text: string, message: RegExp])[] = [
    ['a: [1\nb: 2', /line 2, column 1: /],
    ['name: a\nname: b\n', /line 2, column 1: name: this key is given twice/],
    ['a: &x [1]\nb: *x\n', /line 2, column 4: b: aliases are not taken here/],
    ['{__proto__: {}}', /cannot be a key/],
  ]
  for (const [text, message] of refused) {
    assert.throws(() => submittedJobs(text, yaml), { code: 'JOB_BODY_INVALID', message }, text)
  }
})

test('YAML that is nested too deep, or comes to too much, is refused', () => {
  const nested = '['.repeat(100) + ']'.repeat(100)
  assert.throws(() => submittedJobs(nested, yaml), { code: 'JOB_BODY_INVALID', message: /more than 64 deep/ })
  const many = Array.from({ length: 100_001 }, (_, index) => `k${index}: 1`).join('\n')
  assert.throws(() => submittedJobs(many, yaml), { code: 'JOB_BODY_INVALID', message: /more than 100000 values/ })
})
