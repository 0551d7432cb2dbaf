import assert from 'node:assert/strict'
import { test } from 'node:test'
import { isNamed, mayRun } from './plugin-names.ts'

test('without lists everybody may run; with an allow-list only who is on it, whatever the deny-list says', () => {
  assert.ok(mayRun('a/b', {}).ok)
  assert.ok(mayRun('a/b', { allow: ['b'], deny: ['a/b'] }).ok)
  assert.deepEqual(mayRun('a/b', { allow: [] }), { ok: false, reason: 'it is not on the allow-list' })
  assert.deepEqual(mayRun('a/b', { deny: ['b'] }), { ok: false, reason: 'it is on the deny-list' })
})

test('a name is an id, the part after the slash, all of a publisher, or all', () => {
  for (const name of ['a/b', 'b', 'a/*', '*']) assert.ok(isNamed('a/b', [name]), name)
})

test('a name that is only near means nobody', () => {
  for (const name of ['a', 'b/a', 'B', 'A/b', 'a/', '/b', '/*', 'a*', '*/b', 'a/b*', '', 'c/*']) {
    assert.ok(!isNamed('a/b', [name]), name)
  }
  assert.ok(!isNamed('b', ['b/*']))
})
