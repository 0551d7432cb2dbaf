import assert from 'node:assert/strict'
import { test } from 'node:test'
import { parseStrictJson } from '@backplane/sdk/strict-json'
import { jsonProblem } from './json-problem.ts'

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
  test(`${title} is told with its position`, () => {
    const parsed = parseStrictJson(text, 64)
    assert.ok(parsed.kind !== 'value')
    const found = jsonProblem(text, parsed)
    assert.match(found.problem, problem)
    assert.deepEqual([found.line, found.column], [line, column])
  })
}
