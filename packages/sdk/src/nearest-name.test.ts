import assert from 'node:assert/strict'
import { test } from 'node:test'
import { didYouMean, nearestName } from './nearest-name.ts'

test('the nearest name is the one a slip away, whatever its letter case', () => {
  const names = ['list', 'reload', 'remove', 'disk-images']
  assert.equal(nearestName('lst', names), 'list')
  assert.equal(nearestName('Reload', names), 'reload')
  assert.equal(nearestName('disk-imgaes', names), 'disk-images')
})

test('nothing is suggested when nothing is near', () => {
  assert.equal(nearestName('explode', ['list', 'reload']), undefined)
  assert.equal(nearestName('x', []), undefined)
  assert.equal(didYouMean('explode', ['list']), '')
})

test('the first of several that are equally near is taken', () => {
  assert.equal(nearestName('bat', ['cat', 'hat']), 'cat')
  assert.equal(didYouMean('bat', ['cat', 'hat']), '; did you mean "cat"?')
})

test('a name that was not written out is the only one it begins', () => {
  const names = ['max_concurrent', 'max_queued', 'directory']
  assert.equal(nearestName('max_conc', names), 'max_concurrent')
  assert.equal(nearestName('max_', names), undefined)
  assert.equal(nearestName('dir', names), undefined)
})
