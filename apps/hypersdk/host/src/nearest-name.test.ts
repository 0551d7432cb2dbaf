import assert from 'node:assert/strict'
import { test } from 'node:test'
import { nearestName } from './nearest-name.ts'

test('a mistyped name is taken for the nearest known one', () => {
  assert.equal(nearestName('hot_relaod', ['enabled', 'hot_reload', 'directories']), 'hot_reload')
  assert.equal(nearestName('hotReload', ['enabled', 'hot_reload']), 'hot_reload')
  assert.equal(nearestName('dir', ['directories']), 'directories')
})

test('a name that is near to nothing has no suggestion', () => {
  assert.equal(nearestName('colour', ['enabled', 'hot_reload', 'directories']), undefined)
  assert.equal(nearestName('x', []), undefined)
})
