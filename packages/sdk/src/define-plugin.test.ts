import assert from 'node:assert/strict'
import { test } from 'node:test'
import { definePlugin, isPluginModule } from './define-plugin.ts'

test('only what definePlugin made is a plugin', () => {
  assert.ok(isPluginModule(definePlugin(() => undefined)))
  for (const other of [undefined, null, {}, { setup: () => undefined }, () => undefined]) assert.ok(!isPluginModule(other))
})
