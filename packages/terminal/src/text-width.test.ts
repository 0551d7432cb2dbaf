import assert from 'node:assert/strict'
import { test } from 'node:test'
import { listText, tableText } from './table.ts'
import { clipped, padded, textWidth } from './text-width.ts'

test('texts are cut at their width as the terminal counts it, and no character is cut in two', () => {
  assert.deepEqual([textWidth('ab'), textWidth('显卡'), textWidth('👩\u200D💻'), textWidth('e\u0301')], [2, 4, 2, 1])
  assert.deepEqual(
    [clipped('abcdef', 4), clipped('幅広い', 4), clipped('ab👩\u200D💻cd', 4), clipped('e\u0301'.repeat(4), 4)],
    ['abc…', '幅…', 'ab…', 'e\u0301'.repeat(4)],
  )
  assert.deepEqual([padded('幅広い', 4), padded('a', 3)], ['幅… ', 'a  '])
})

test('a text that takes no room is cut to none, whatever room there is', () => {
  for (const columns of [0, 1, 2]) {
    assert.equal(textWidth(padded('\u200D', columns)), columns)
    assert.equal(textWidth(padded('\u200D\u0301abc', columns)), columns)
    assert.ok(textWidth(clipped('幅', columns)) <= columns)
  }
})

test('columns stand below each other also with wide characters', () => {
  const rows = [
    { name: '显卡一', state: 'on' },
    { name: 'b', state: 'off' },
  ]
  const table = tableText(rows, [
    ['NAME', ({ name }) => name],
    ['STATE', ({ state }) => state],
  ])
  assert.equal(table, 'NAME    STATE\n显卡一  on\nb       off\n')
  assert.equal(
    listText([
      ['显卡', 'x'],
      ['b', 'y\u001B[m'],
    ]),
    '显卡  x\nb     y\uFFFD[m\n',
  )
})
