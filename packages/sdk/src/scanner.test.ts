import assert from 'node:assert/strict'
import { test } from 'node:test'
import { mostScannerFindings, scanner, type ScannerFinding } from './scanner.ts'
import type { Schema, SchemaResult } from './standard-schema.ts'

const check = (schema: Schema, value: unknown): SchemaResult<unknown> =>
  schema['~standard'].validate(value) as SchemaResult<unknown>
const issueOf = (schema: Schema, value: unknown): string => {
  const [issue] = check(schema, value).issues ?? []
  return issue === undefined ? '' : `${(issue.path ?? []).map(String).join('.')} ${issue.message}`
}
const { file, findings } = scanner.methods
const good: ScannerFinding = { rule: 'private-key', severity: 'danger', file: 'index.js', message: 'holds a key' }

test('what a scanner answers is a list of findings, or it has failed', () => {
  for (const value of [[], [good], [{ ...good, line: 1, fix: 'Take it out.' }]])
    assert.deepEqual(check(findings.output, value), { value })
  const garbage: readonly (readonly [unknown, RegExp])[] = [
    ['nothing found', /must be a list/],
    [{}, /must be a list/],
    [undefined, /must be a list/],
    [['bad'], /^0\.severity/],
    [[null], /^0\.severity/],
    [[good, { ...good, severity: 'fatal' }], /^1\.severity must be one of/],
    [[{ ...good, rule: 'Private Key' }], /^0\.rule/],
    [[{ ...good, message: '' }], /^0\.message/],
    [[{ ...good, message: 'x'.repeat(1_001) }], /^0\.message/],
    [[{ ...good, line: 0 }], /^0\.line/],
    [[{ ...good, fix: 7 }], /^0\.fix/],
    [Array.from({ length: mostScannerFindings + 1 }, () => good), /at most 1000 findings/],
  ]
  for (const [value, rule] of garbage) assert.match(issueOf(findings.output, value), rule)
})

test('a host gives pieces that are in their file, and says which package it is', () => {
  const piece = { path: 'a.js', sizeBytes: 3, offset: 0, bytes: new Uint8Array(3) }
  assert.equal(issueOf(file.input, piece), '')
  assert.match(issueOf(file.input, { ...piece, offset: 4 }), /^offset/)
  assert.match(issueOf(file.input, { ...piece, bytes: 'abc' }), /^bytes/)
  assert.match(issueOf(file.input, { ...piece, sizeBytes: -1 }), /^sizeBytes/)
  assert.match(issueOf(file.input, { ...piece, path: 7 }), /^path/)
  assert.equal(issueOf(file.output, undefined), '')
  assert.match(issueOf(file.output, 'done'), /must be nothing/)
  assert.match(issueOf(scanner.open, { id: 'acme/s3', version: '1.0.0' }), /^digest/)
})
