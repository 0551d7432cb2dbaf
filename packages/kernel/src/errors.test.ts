import assert from 'node:assert/strict'
import { globSync, readFileSync } from 'node:fs'
import { test } from 'node:test'
import { kernelErrors } from './errors.ts'

test('each code is provoked by a test', () => {
  const files = globSync('**/*.test.ts', { cwd: import.meta.dirname }).filter((file) => file !== 'errors.test.ts')
  const tests = files.map((file) => readFileSync(`${import.meta.dirname}/${file}`, 'utf8')).join('\n')
  const unprovoked = Object.keys(kernelErrors.specs).filter((code) => !new RegExp(`\\b${code}\\b`).test(tests))
  assert.deepEqual(unprovoked, [])
})

test('each hint is one imperative sentence', () => {
  for (const [code, { hint }] of Object.entries(kernelErrors.specs)) {
    assert.match(hint, /^[A-Z][^]*\.$/, code)
    assert.ok(!/\. [A-Z]/.test(hint), code)
  }
})
