import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { Key } from 'ink'
import { pressedKeys } from './key-name.ts'

const none: Key = {
  upArrow: false,
  downArrow: false,
  leftArrow: false,
  rightArrow: false,
  pageDown: false,
  pageUp: false,
  home: false,
  end: false,
  return: false,
  escape: false,
  ctrl: false,
  shift: false,
  tab: false,
  backspace: false,
  delete: false,
  meta: false,
  super: false,
  hyper: false,
  capsLock: false,
  numLock: false,
}

const names = (input: string, given: Partial<Key> = {}): readonly string[] =>
  pressedKeys(input, { ...none, ...given }).map(({ key, alone }) => (alone ? key : `${key}…`))

test('keys have the names the interface knows them by', () => {
  assert.deepEqual(names('', { pageUp: true }), ['page-up'])
  assert.deepEqual(names('', { return: true }), ['enter'])
  assert.deepEqual(names('', { tab: true, shift: true }), ['shift-tab'])
  assert.deepEqual(names('q', { ctrl: true }), ['ctrl-q'])
  assert.deepEqual(names('g'), ['g'])
  assert.deepEqual(names('幅'), ['幅'])
  assert.deepEqual(names('y', { meta: true }), [], 'Alt and a letter is no letter')
})

test('keys that came together are told apart, and that they came together', () => {
  assert.deepEqual(names('ay\r'), ['a…', 'y…', 'enter…'])
})
