import assert from 'node:assert/strict'
import { test } from 'node:test'
import { printable, printableJson, printableLine } from './printable.ts'

test('what steers a terminal, turns text around or stands there unseen is blanked; other scripts and emoji are as they are', () => {
  for (const text of [
    '\u001B[2J',
    'a\rb',
    '\u009B31m',
    '\u202Egnp.exe',
    '\u2066x\u2069',
    '\u200Fx',
    '\u061Cx',
    'co\u200Bre',
    '\uFEFFx',
  ]) {
    assert.match(printable(text), /\uFFFD/, JSON.stringify(text))
  }
  assert.equal(printable('a\u{E0041}b\u2028c'), 'a\uFFFDb\uFFFDc')
  for (const text of ['Grafikkarte größer', '显卡', 'بطاقة', 'می\u200Cخواهم', '👩\u200D💻 ok', 'e\u0301'])
    assert.equal(printable(text), text)
  assert.equal(printableLine(' a \n b\u001B[m\r\nc '), 'a b\uFFFD[m c')
  const far = `a${' '.repeat(1_000_000)}b`
  assert.equal(printableLine(`${far}\n\n c`), `${far} c`, 'however long it is')
})

test('JSON stays JSON, with the same value, and says what is unseen by its number', () => {
  const value = { 'a\u202E': ['\u001B[2J', '\u{E0041}', '\u2028'] }
  const text = printableJson(value, 2)
  assert.deepEqual(JSON.parse(text), value)
  assert.match(text, /^[ -~\n]*$/)
})
