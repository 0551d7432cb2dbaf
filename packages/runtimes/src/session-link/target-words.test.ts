import assert from 'node:assert/strict'
import { test } from 'node:test'
import { callWords, parseTarget, targetWords } from './target-words.ts'

test('a target comes back from its words', () => {
  for (const target of [
    { point: 'a.b', name: 'c-d', method: 'e_f' },
    { point: 'a.b', name: 'c', method: 'd', instance: 0 },
    { point: 'a.b', name: 'c', method: 'd', instance: 123_456 },
  ]) {
    for (const verb of ['call', 'stream', 'open', 'close'] as const) {
      assert.deepEqual(parseTarget(targetWords(verb, target)), { verb, target })
    }
    assert.equal(callWords(target), targetWords('call', target))
    assert.equal(callWords(target), callWords({ ...target }))
  }
})

test('anything else is no target', () => {
  for (const text of [
    '',
    'call',
    'call a b c',
    'call a b c - d',
    'emit a b c -',
    'call a b c x',
    'call a b c -5',
    'call a b c 1.5',
    'call a b c 9999999999999999',
  ]) {
    assert.equal(parseTarget(text), undefined, text)
  }
})

test('a name with a space makes no target of another', () => {
  assert.equal(parseTarget(targetWords('call', { point: 'a', name: 'b c', method: 'd' })), undefined)
})
