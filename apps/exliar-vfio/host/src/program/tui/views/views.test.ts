import assert from 'node:assert/strict'
import { test } from 'node:test'
import { PanelContent } from '@exliar-vfio/points'
import { undoEnd } from '../../change-work.ts'
import { after, detection, plan, question, seen } from '../fixtures/known-machine.ts'
import { screens, type TuiState } from '../tui-state.ts'
import { keysLine, messageLine, ruleLine, titleLine } from './frame.ts'
import { fieldLines, padded, tableLines, wrapped, type Line, type Tone } from './line.ts'
import { longestPanel, panelBody } from './panel-body.ts'
import { bodyRows, firstLine, screenBody } from './screen-body.ts'

const textOf = (line: Line): string => line.map(({ text }) => text).join('')
const screenOf = (state: TuiState): string => screenBody(state).lines.map(textOf).join('\n')
const toneOf = (lines: readonly Line[], what: RegExp): Tone | undefined => lines.flat().find(({ text }) => what.test(text))?.tone

test('texts are wrapped at words, within their width, with what would steer the terminal blanked', () => {
  assert.deepEqual(wrapped('one two three', 9, { indent: 2 }).map(textOf), ['  one two', '  three'])
  assert.deepEqual(wrapped('a\n  b\u001B[31mc', 20).map(textOf), ['a', '  b\uFFFD[31mc'])
  assert.deepEqual(wrapped('unbreakable', 4).map(textOf), ['unbr', 'eaka', 'ble'])
  assert.deepEqual(wrapped('幅広い文字', 4).map(textOf), ['幅広', 'い文', '字'])
})

test('columns have the width of what stands in them, counted as the terminal does', () => {
  assert.deepEqual(tableLines(['A', 'B'], [['幅', 'x'], ['yyy']]).map(textOf), ['A    B', '幅   x', 'yyy'])
  assert.equal(padded('abcdef', 4), 'abc…')
  assert.equal(padded('幅広い', 4), '幅… ')
  assert.equal(textOf(tableLines(['A'], [['x'.repeat(500)]])[1] ?? []).length, 60)
  assert.deepEqual(fieldLines([['name', 'a value of words']], 16).map(textOf), ['name  a value of', '      words'])
})

test('every kind of item is drawn, and the chosen action is marked', () => {
  const content = PanelContent.parse({
    items: [
      { kind: 'heading', text: 'Head' },
      { kind: 'text', text: 'fine', tone: 'good' },
      { kind: 'fields', fields: [{ label: 'name', value: 'value', tone: 'bad' }] },
      { kind: 'table', columns: ['ONE'], rows: [['cell']] },
      { kind: 'gauge', label: 'load', value: 50, most: 100, unit: '%' },
      { kind: 'chart', label: 'over time', values: [1, 2], unit: 'MB' },
      { kind: 'action', id: 'go', label: 'Go' },
      { kind: 'action', id: 'stop', label: 'Stop' },
    ],
  })
  const { lines, cursor } = panelBody(content, 1, 80)
  const text = lines.map(textOf)
  assert.deepEqual(text.slice(1, 5), ['Head', 'fine', 'name  value', 'ONE'])
  assert.match(text.join('\n'), /load {4,} █{20}░{20} 50 of 100 %\nover time {2}▅█ MB\n {2}\[ Go \]\n› \[ Stop \]/)
  assert.deepEqual([toneOf(lines, /fine/), toneOf(lines, /^value/), cursor], ['good', 'bad', text.length - 1])
  assert.equal(panelBody({ items: [] }, 0, 80).lines.length, 1)
})

test('a long panel is cut off, and says so', () => {
  const text = { kind: 'text', text: '\n'.repeat(4_000), tone: 'plain' } as const
  const { lines } = panelBody({ items: [text, text] }, 0, 80)
  assert.equal(lines.length, longestPanel + 1)
  assert.match(textOf(lines.at(-1) ?? []), /only its first 2000 lines/)
})

test('a plan shows functions, steps with their cause, and differences in the colours everybody knows', () => {
  const state = seen({ screen: 'plan', plan: { kind: 'made', plan, detection } })
  const { lines } = screenBody(state)
  const text = lines.map(textOf).join('\n')
  for (const { path } of plan.diffs) assert.ok(text.includes(`+++ ${path}`) || text.includes(path), path)
  assert.match(text, /^ {2}1\. /m)
  assert.deepEqual([toneOf(lines, /^\+GRUB/), toneOf(lines, /^-GRUB/), toneOf(lines, /^@@/)], ['good', 'bad', 'notice'])
})

test('an undo that left something names it with its difference', () => {
  const end = { kind: 'kept', reason: 'somebody changed it since', diff: '-a\n+b\n' } as const
  const report = {
    changes: [{ change: 1, summary: 'write /etc/x', stood: 'other' as const, end }],
    complete: false,
    standing: 1,
    restart: true,
  }
  const changes = { kind: 'there', value: { changes: [], interrupted: false } } as const
  const text = screenOf(seen({ screen: 'changes', changes, result: { kind: 'taken-back', reason: 'cleanup', report } }))
  assert.match(text, /kept {4}write \/etc\/x\n +somebody changed it since\n-a\n\+b\nWhat is marked as kept[^]*start it\s+again/)
})

test('the frame says where one is, what waits for an answer, and how much is not seen', () => {
  const asked = after(seen(), { kind: 'asked', request: question('a') })
  assert.match(textOf(titleLine(asked)), /\[System\] 2 Devices .* 7 Approvals\(1\)$/)
  assert.equal(textOf(titleLine({ ...asked, columns: 40 })), 'exliar  1/7 System  7 Approvals (1)')
  const devices = seen({ screen: 'devices', rows: 12 })
  assert.match(textOf(ruleLine(devices, screenBody(devices))), /lines \d+–\d+ of \d+/)
  assert.match(textOf(messageLine(seen({ refusing: 'no' }))), /Why not\? no▏/)
})

test('what a plugin calls by a name without width is drawn, and holds nothing up', () => {
  const nameless = { label: '\u200D', value: 'x', tone: 'plain' } as const
  const { lines } = panelBody(
    {
      items: [
        { kind: 'fields', fields: [nameless] },
        { kind: 'table', columns: ['\u200D'], rows: [] },
      ],
    },
    -1,
    80,
  )
  assert.equal(lines.length, 2)
})

test('the keys of a screen are named on 80 columns, and those of everywhere where there is room', () => {
  for (const screen of screens) {
    const keys = textOf(keysLine(seen({ screen, columns: 80 })))
    assert.ok(keys.length <= 80, keys)
    assert.match(keys, /\? help/)
  }
  assert.match(textOf(keysLine(seen({ screen: 'devices' }))), /t along/)
  assert.match(textOf(keysLine(seen({ screen: 'plan' }))), /i initramfs {2}l bootloader/)
  assert.match(textOf(keysLine(seen({ screen: 'plan', columns: 120 }))), /l bootloader.*q quit$/)
})

test('what goes along and what is left out is said, on the list and over the plan', () => {
  const choices = { bind: 'now', allowBootScreen: false, leaveOut: ['initramfs'] } as const
  const state = seen({ screen: 'devices', selected: ['0000:17:00'], takeAlong: ['0000:65:00'], choices })
  assert.match(screenOf(state), /\[x\] 0000:17:00\.0[^]*\[\+\] 0000:65:00\.0/)
  assert.match(screenOf({ ...state, screen: 'plan', columns: 200 }), /along with it: 0000:65:00 .* · initramfs: by hand/)
})

test('one is not called several', () => {
  const report = { changes: [], complete: true, standing: 1 }
  assert.equal(undoEnd(report), 'It is taken back. What was applied before stands: 1 change.')
  const asked = (changes: number): string =>
    textOf(messageLine(seen({ prompt: { kind: 'take-back', reason: 'cleanup', changes } })))
  assert.deepEqual([1, 2].map(asked), ['Take back 1 change? [y/N] ', 'Take back all 2 changes? [y/N] '])
})

test('an error is one line at the bottom; an input too long to show says so', () => {
  const told = after(seen(), { kind: 'told', message: { tone: 'bad', text: 'CODE: it failed\nDo this.' } })
  assert.equal(textOf(messageLine(told)), 'CODE: it failed Do this.')
  const long = question('a', { input: Array.from({ length: 300 }, (_, index) => index) })
  const text = screenOf(after(seen({ screen: 'approvals', question: 'a' }), { kind: 'asked', request: long }))
  assert.match(text, /… and 102 lines more/)
})

test('the chosen line is seen on every size, and nothing is shown below the end', () => {
  for (const rows of [1, 5, 12, 24, 60]) {
    for (const device of [0, 9, 17]) {
      const state = seen({ screen: 'devices', rows, device, scroll: 1_000 })
      const body = screenBody(state)
      const first = firstLine(state, body)
      assert.ok(first >= 0 && first <= Math.max(0, body.lines.length - bodyRows(state)))
      assert.ok((body.cursor ?? 0) >= first && (body.cursor ?? 0) < first + bodyRows(state), `${rows} rows, device ${device}`)
    }
  }
})
