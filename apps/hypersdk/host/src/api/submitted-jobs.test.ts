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

test('YAML that is broken, gives a key twice or grows by aliases is refused', () => {
  for (const text of ['a: [1\nb: 2', 'name: a\nname: b\n', 'a: &x [1]\nb: *x\n']) {
    assert.throws(() => submittedJobs(text, yaml), { code: 'JOB_BODY_INVALID' }, text)
  }
})
