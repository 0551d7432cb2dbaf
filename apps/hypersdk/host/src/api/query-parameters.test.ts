import assert from 'node:assert/strict'
import { test } from 'node:test'
import { queryObject } from './query-parameters.ts'

test('query parameters become an object: repeated ones a list, numbers numbers, tag.<key> entries of tags', () => {
  const query = new URLSearchParams('state=running&min_cpus=2&status=a&status=b&tag.env=prod&tag.team=core')
  assert.deepEqual(queryObject(query, ['min_cpus']), {
    state: 'running',
    min_cpus: 2,
    status: ['a', 'b'],
    tags: { env: 'prod', team: 'core' },
  })
})

test('tags spelled another way are refused with the way they are written', () => {
  for (const query of ['tags=env=prod', 'tags.env=prod', 'tags[env]=prod']) {
    const expected = { code: 'REQUEST_INVALID', message: /write each tag as tag\.<key>=<value>/ }
    assert.throws(() => queryObject(new URLSearchParams(query)), expected, query)
  }
})

test('a parameter that would be lost is refused, and no list is answered without it', () => {
  for (const query of ['tag.__proto__=x', '__proto__=x']) {
    assert.throws(
      () => queryObject(new URLSearchParams(query)),
      { code: 'REQUEST_INVALID', message: /this cannot be a key/ },
      query,
    )
  }
})
