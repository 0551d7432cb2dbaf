import assert from 'node:assert/strict'
import { test } from 'node:test'
import { PlatformError } from './platform-error.ts'

test('an error crosses as JSON with everything but its stack', () => {
  const cause = Object.assign(new Error('socket closed'), { code: 'ECONNRESET' })
  const error = new PlatformError('CALL_FAILED', 'it failed', {
    plugin: 'acme/disk',
    point: 'demo.store',
    hint: 'Try again.',
    retryable: true,
    details: { pluginCode: 'E_DISK' },
    cause,
  })
  const back = PlatformError.fromJSON(JSON.parse(JSON.stringify(error)))
  assert.equal(back.code, 'CALL_FAILED')
  assert.equal(back.plugin, 'acme/disk')
  assert.equal(back.point, 'demo.store')
  assert.equal(back.hint, 'Try again.')
  assert.equal(back.retryable, true)
  assert.deepEqual(back.details, { pluginCode: 'E_DISK' })
  assert.ok(back.cause instanceof PlatformError)
  assert.equal(back.cause.code, 'ECONNRESET')
  assert.ok(!JSON.stringify(error).includes('platform-error.test'))
})

test('a JSON error with wrong types becomes a safe error, never a throw', () => {
  for (const json of [null, 7, 'x', [], { code: 1, message: {}, retryable: 'yes', details: 3 }]) {
    const error = PlatformError.fromJSON(json)
    assert.equal(error.code, 'INTERNAL')
    assert.equal(error.retryable, false)
  }
})

test('causes are followed eight deep at most, also in a circle', () => {
  const first = new Error('first')
  const second = new Error('second', { cause: first })
  first.cause = second
  let json: unknown = new PlatformError('X_Y', 'outer', { cause: first }).toJSON()
  let depth = 0
  while (typeof json === 'object' && json !== null && 'cause' in json) {
    json = json.cause
    depth += 1
  }
  assert.equal(depth, 8)
})
