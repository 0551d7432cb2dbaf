import assert from 'node:assert/strict'
import { test } from 'node:test'
import * as fc from 'fast-check'
import { forbiddenKeys, parseStrictJson } from './strict-json.ts'

const safeKey = fc.string({ unit: 'grapheme' }).filter((key) => !forbiddenKeys.has(key))
const jsonValue = fc.letrec((tie) => ({
  value: fc.oneof(
    { maxDepth: 5 },
    fc.oneof(
      fc.string({ unit: 'binary' }),
      fc.constantFrom('": ', ':', '\\', '"', '\\"'),
      fc.integer(),
      fc.boolean(),
      fc.constant(null),
    ),
    fc.array(tie('value'), { maxLength: 5 }),
    fc.dictionary(safeKey, tie('value'), { maxKeys: 5, noNullPrototype: true }),
  ),
})).value

test('every other JSON text is read as JSON.parse reads it', () => {
  fc.assert(
    fc.property(jsonValue, fc.constantFrom(undefined, 2, '\t\r\n'), (value, space) => {
      const text = JSON.stringify(value, undefined, space)
      assert.deepEqual(parseStrictJson(text, 64), { kind: 'value', value: JSON.parse(text) })
    }),
  )
})

test('a key written twice is refused wherever it is', () => {
  fc.assert(
    fc.property(jsonValue, jsonValue, safeKey, (inner, outer, key) => {
      const name = JSON.stringify(key)
      const text = `[${JSON.stringify(outer)}, {${name}: 1, "\\u0000x": ${JSON.stringify(inner)}, ${name} :2}]`
      const parsed = parseStrictJson(text, 64)
      assert.deepEqual([parsed.kind, 'key' in parsed ? parsed.key : undefined], ['repeated-key', key])
    }),
  )
})

test('a key that reaches a prototype is refused, however it is written', () => {
  const texts = [
    '{"a": {"__proto__": 1}}',
    String.raw`{"a": {"\u005f_proto__": 1}}`,
    '[1,{"constructor" :{}}]',
    '{"prototype":1}',
  ]
  const found = texts.map((text) => parseStrictJson(text, 64))
  assert.deepEqual(found, [
    { kind: 'forbidden-key', key: '__proto__', offset: 7 },
    { kind: 'forbidden-key', key: '__proto__', offset: 7 },
    { kind: 'forbidden-key', key: 'constructor', offset: 4 },
    { kind: 'forbidden-key', key: 'prototype', offset: 1 },
  ])
})

test('nesting has a limit, which holds for text that is no JSON too', () => {
  assert.equal(parseStrictJson('[[{"a": "[[[["}]]', 3).kind, 'value')
  assert.deepEqual(parseStrictJson('[[{"a": []}]]', 3), { kind: 'too-deep', limit: 3, offset: 8 })
  assert.deepEqual(parseStrictJson('['.repeat(100_000), 64), { kind: 'too-deep', limit: 64, offset: 64 })
})

test('what is no JSON is a syntax error', () => {
  for (const text of ['', '{', '{"a": 1,}', '\u{FEFF}{}', '// no', '{"a', '"\\', '{"a": 1 "a": 2}']) {
    assert.equal(parseStrictJson(text, 64).kind, 'syntax', text)
  }
})
