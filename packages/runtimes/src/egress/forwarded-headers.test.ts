import assert from 'node:assert/strict'
import { test } from 'node:test'
import { forwardedHeaders } from './forwarded-headers.ts'

test('what a connection names as its own is not forwarded, however many spaces it takes to say so', () => {
  const connection = `keep-alive ,\tX-Own,${' '.repeat(1_000_000)}x-other`
  const raw = ['Connection', connection, 'X-Own', '1', 'X-Other', '2', 'X-Kept', '3', 'X-Kept', '4', 'Host', 'a.example']
  assert.deepEqual(forwardedHeaders(raw, { Host: 'b.example' }), { 'x-kept': ['3', '4'], host: 'b.example' })
})
