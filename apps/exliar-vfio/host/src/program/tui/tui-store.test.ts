import assert from 'node:assert/strict'
import { test } from 'node:test'
import { seen } from './fixtures/known-machine.ts'
import { TuiStore } from './tui-store.ts'

test('an event that nothing can be made of is told, and neither throws nor changes what is shown', () => {
  const defects: unknown[] = []
  const store = new TuiStore(seen(), { begin: () => assert.fail(), failed: (defect) => void defects.push(defect) })
  const before = store.state()
  store.happened({ kind: 'detected', detection: { kind: 'there', value: {} } } as unknown as Parameters<TuiStore['happened']>[0])
  assert.equal(defects.length, 1)
  assert.ok(defects[0] instanceof TypeError)
  assert.equal(store.state(), before)
})
