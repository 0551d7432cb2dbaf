import assert from 'node:assert/strict'
import { test } from 'node:test'
import { highlight, wantsColors } from './highlight.ts'

test('colours are for terminals that have them, unless somebody says otherwise', () => {
  const live = { stdout: { isTTY: true }, stderr: { isTTY: true } }
  const piped = { stdout: {}, stderr: { isTTY: true } }
  const on = (env: Readonly<Record<string, string>>, streams: typeof live | typeof piped = live): boolean =>
    wantsColors({ ...streams, env })
  assert.deepEqual([on({}), on({}, piped), on({ TERM: 'dumb' })], [true, false, false])
  assert.deepEqual([on({ NO_COLOR: '1', FORCE_COLOR: '1' }), on({ NO_COLOR: '' })], [false, true])
  assert.deepEqual(
    [on({ FORCE_COLOR: '1' }, piped), on({ FORCE_COLOR: '0' }), on({ FORCE_COLOR: 'false' })],
    [true, false, false],
  )
})

test('without colours words stand as they are', () => {
  assert.equal(highlight({ colors: false }, 'red', 'no'), 'no')
  assert.equal(highlight({ colors: true }, 'red', 'no'), '\u001B[31mno\u001B[39m')
})
