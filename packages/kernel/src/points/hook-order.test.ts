import assert from 'node:assert/strict'
import { test } from 'node:test'
import * as fc from 'fast-check'
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
  assert.equal(order(handler('a', { phase: 'early', after: ['b'] }), handler('b', { phase: 'late' })), 'cycle b a b')
})

test('what several handlers of one plugin say of others, and of their own plugin, is no cycle', () => {
  const words = { before: ['a', 'c'], after: ['b'] }
  assert.equal(order(handler('a', words, 'y'), handler('a', words, 'z'), handler('b'), handler('c')), 'b a.y a.z c')
})

test('thousands of handlers are ordered, in a chain that runs against their names too', () => {
  const name = (at: number): string => `p${String(at).padStart(5, '0')}`
  const chain = Array.from({ length: 20_000 }, (_, at) => handler(name(at), { after: [name(at + 1)] }))
  const sequence = orderHandlers(chain)
  assert.deepEqual(sequence.ok && sequence.handlers, chain.toReversed())
})

const ids = ['a', 'b', 'c', 'd', 'e', 'f'] as const
const anyHandlers = fc.uniqueArray(
  fc.record({
    id: fc.constantFrom(...ids),
    phase: fc.constantFrom('early', 'normal', 'late', undefined),
    before: fc.subarray([...ids], { maxLength: 2 }),
    after: fc.subarray([...ids], { maxLength: 2 }),
  }),
  { selector: ({ id }) => id },
)
const phases = ['early', 'normal', 'late']

test('whatever handlers say: they run in an order that keeps it all, or a cycle is named that is one', () => {
  fc.assert(
    fc.property(anyHandlers, (specs) => {
      const handlers = specs.map(({ id, phase, before, after }) =>
        handler(id, { before, after, ...(phase === undefined ? {} : { phase }) }),
      )
      const phaseOf = (id: string): number => phases.indexOf(specs.find((spec) => spec.id === id)?.phase ?? 'normal')
      const says = (earlier: string, later: string): boolean =>
        earlier !== later &&
        specs.some(
          ({ id, before, after }) =>
            (id === earlier && before.includes(later as 'a')) || (id === later && after.includes(earlier as 'a')),
        )
      const sequence = orderHandlers(handlers)
      if (sequence.ok) {
        const run = sequence.handlers.map(({ plugin }) => plugin.id)
        assert.equal(run.length, specs.length)
        for (const [at, earlier] of run.entries()) {
          for (const later of run.slice(at + 1)) {
            assert.ok(!says(later, earlier), `${later} before ${earlier}`)
            assert.ok(phaseOf(earlier) <= phaseOf(later))
          }
        }
      } else {
        assert.equal(sequence.cycle[0], sequence.cycle.at(-1))
        for (const [at, earlier] of sequence.cycle.slice(0, -1).entries()) {
          const later: string = sequence.cycle[at + 1] ?? ''
          assert.ok(
            says(earlier, later) || phaseOf(earlier) < phaseOf(later),
            `${earlier} before ${later}: ${sequence.cycle.join(' ')}`,
          )
        }
      }
    }),
    { numRuns: 500 },
  )
})
