import assert from 'node:assert/strict'
import { test } from 'node:test'
import { defineErrors } from './error-catalogue.ts'

const demo = defineErrors('DEMO', {
  DEMO_MISSING: { message: 'no {what} in {place}', status: 404, exit: 66, retryable: false, hint: 'Add {what}.' },
})

test('a message is filled from its parameters and the hint with it', () => {
  const error = demo.error('DEMO_MISSING', { what: 'key', place: 'config.yaml' })
  assert.equal(error.message, 'no key in config.yaml')
  assert.equal(error.hint, 'Add key.')
  assert.equal(error.retryable, false)
})

test('a place without a parameter stays visible', () => {
  assert.equal(demo.error('DEMO_MISSING', { what: 'key' }).message, 'no key in {place}')
})
