import assert from 'node:assert/strict'
import { test } from 'node:test'
import { z } from 'zod'
import { schemaProblems } from './schema-problems.ts'

const schema = z.strictObject({
  name: z.string().min(1).max(3),
  port: z.number().int().min(1).max(65_535).optional(),
  ids: z.array(z.string()).min(1).max(2).optional(),
})

const told = (value: unknown): readonly string[] => {
  const { error } = schema.safeParse(value)
  return error === undefined ? [] : schemaProblems(schema, error).map(({ path, message }) => `${path.join('.')}: ${message}`)
}

test('a number out of its range, of the wrong kind or none is told by what it must be', () => {
  assert.deepEqual(told({ name: 'a', port: 0 }), ['port: must be at least 1'])
  assert.deepEqual(told({ name: 'a', port: 65_536 }), ['port: must be at most 65535'])
  assert.deepEqual(told({ name: 'a', port: 1.5 }), ['port: must be a whole number'])
  assert.deepEqual(told({ name: 'a', port: Number.NaN }), ['port: must be a number'])
})

test('what is empty or too long is told in words, and a missing key is not said to be one to leave out', () => {
  assert.deepEqual(told({ name: '', ids: [] }), ['name: must not be empty', 'ids: must not be empty'])
  const long = ['name: must be at most 3 characters long', 'ids: must have at most 2 entries']
  assert.deepEqual(told({ name: 'abcd', ids: ['a', 'b', 'c'] }), long)
  assert.deepEqual(told({}), ['name: is missing: give it a text'])
  assert.deepEqual(told({ name: 'a', ids: null }), ['ids: has no value: give it a list, or leave it out'])
})

test('a value of the wrong kind is one problem, whatever else it would break', () => {
  assert.deepEqual(told({ name: [] }), ['name: must be a text, not a list'])
  assert.deepEqual(told({ name: 'a', ids: '' }), ['ids: must be a list, not a text'])
})
