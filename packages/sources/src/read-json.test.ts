import assert from 'node:assert/strict'
import { test } from 'node:test'
import * as fc from 'fast-check'
import { findJsonProblem } from './json-problem.ts'
import { readJson } from './read-json.ts'

const refusals: readonly (readonly [title: string, text: string, problem: RegExp, line: number, column: number])[] = [
  ['a byte order mark', '\u{FEFF}{}', /byte order mark/, 1, 1],
  ['a syntax error', '{\n  "a": 1,\n  "b" 2\n}', /colon expected/, 3, 7],
  ['a comment', '{ // no\n}', /comment/, 1, 3],
  ['a trailing comma', '{"a": [1,\n]}', /value expected/, 2, 1],
  ['an empty file', '', /value expected/, 1, 1],
  ['a second value', '{}\n{}', /end of file expected/, 2, 1],
  ['a duplicate key', '{"a": 1,\n "b": {"a": 2},\n "a": 3}', /"a" appears twice/, 3, 2],
  ['a duplicate key written otherwise', '{"id": 1, "\\u0069d": 2}', /"id" appears twice/, 1, 11],
  ['__proto__', '{"config": {\n"__proto__": {}}}', /"__proto__" is not allowed/, 2, 1],
  ['constructor, escaped', '{"\\u0063onstructor": 1}', /"constructor" is not allowed/, 1, 2],
  ['prototype', '[{"prototype": 1}]', /"prototype" is not allowed/, 1, 3],
  ['deep nesting', `{"a":\n${'['.repeat(200_000)}`, /more than 64 deep/, 2, 64],
]

for (const [title, text, problem, line, column] of refusals) {
  test(`${title} is refused with its position`, () => {
    assert.equal(readJson(text, 64), undefined)
    const found = findJsonProblem(text, 64)
    assert.match(found?.problem ?? '', problem)
    assert.deepEqual([found?.line, found?.column], [line, column])
  })
}

const safeKey = fc.string({ unit: 'grapheme' }).filter((key) => !['__proto__', 'constructor', 'prototype'].includes(key))
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
      assert.deepEqual(readJson(text, 64), { value: JSON.parse(text) })
    }),
  )
})

test('a key written twice is refused wherever it is', () => {
  fc.assert(
    fc.property(jsonValue, jsonValue, safeKey, (inner, outer, key) => {
      const name = JSON.stringify(key)
      const text = `[${JSON.stringify(outer)}, {${name}: 1, "\\u0000x": ${JSON.stringify(inner)}, ${name} :2}]`
      assert.equal(readJson(text, 64), undefined)
      assert.match(findJsonProblem(text, 64)?.problem ?? '', /appears twice/)
    }),
  )
})
