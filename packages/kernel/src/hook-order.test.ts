import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { HandlerOrder } from '@backplane/sdk'
import { orderHandlers, type Ordered } from './hook-order.ts'

const handler = (id: string, metadata: HandlerOrder = {}, name = 'it'): Ordered => ({ plugin: { id }, name, metadata })
function order(...handlers: readonly Ordered[]): string {
  const forwards = orderHandlers(handlers)
  const backwards = orderHandlers(handlers.toReversed())
  const show = (sequence: typeof forwards): string =>
    sequence.ok
      ? sequence.handlers.map(({ plugin, name }) => (name === 'it' ? plugin.id : `${plugin.id}.${name}`)).join(' ')
      : 'cycle'
  assert.equal(show(forwards), show(backwards))
  return forwards.ok ? show(forwards) : `cycle ${forwards.cycle.join(' ')}`
}

test('without a word, plugin ids and then names decide', () => {
  assert.equal(order(handler('b'), handler('c'), handler('a', {}, 'z'), handler('a', {}, 'y')), 'a.y a.z b c')
})

test('phases come first', () => {
  assert.equal(order(handler('a', { phase: 'late' }), handler('b'), handler('c', { phase: 'early' })), 'c b a')
})

test('before and after hold, and ids decide the rest', () => {
  assert.equal(order(handler('a', { after: ['c'] }), handler('b'), handler('c')), 'b c a')
  assert.equal(order(handler('c', { before: ['a'] }), handler('b'), handler('a')), 'b c a')
  assert.equal(
    order(handler('a', { after: ['b'] }), handler('b', { after: ['c'] }), handler('c', { after: ['d'] }), handler('d')),
    'd c b a',
  )
})

test('who is not there is not waited for', () => {
  assert.equal(order(handler('a', { after: ['gone'] }), handler('b', { before: ['gone'] })), 'a b')
})

test('a word about oneself means nothing', () => {
  assert.equal(order(handler('a', { before: ['a'] }), handler('b')), 'a b')
})

test('a cycle is named', () => {
  assert.match(order(handler('a', { before: ['b'] }), handler('b', { before: ['a'] })), /^cycle (a b a|b a b)$/)
})

test('a word against the phases is a cycle too', () => {
  assert.match(order(handler('a', { phase: 'early', after: ['b'] }), handler('b', { phase: 'late' })), /^cycle/)
})
