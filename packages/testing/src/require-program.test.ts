import assert from 'node:assert/strict'
import { afterEach, beforeEach, test, type TestContext } from 'node:test'
import { requireProgram } from './require-program.ts'

const before = { path: process.env['PATH'], ci: process.env['BACKPLANE_CI'] }
beforeEach(() => {
  delete process.env['BACKPLANE_CI']
})
afterEach(() => {
  process.env['PATH'] = before.path
  if (before.ci === undefined) delete process.env['BACKPLANE_CI']
  else process.env['BACKPLANE_CI'] = before.ci
})

test('a program on the PATH is there', () => {
  process.env['PATH'] = '/usr/bin:/bin'
  assert.deepEqual(ask('sh'), { there: true, reasons: [] })
})

test('a program that is not installed, or not on the PATH, skips the test with the name of its package', () => {
  process.env['PATH'] = '/usr/bin:/bin'
  const missing = 'no-such-program is not installed or not on PATH (Debian package some-package)'
  assert.deepEqual(ask('no-such-program'), { there: false, reasons: [missing] })
  process.env['PATH'] = '/nowhere'
  const hidden = 'sh is not installed or not on PATH (Debian package some-package)'
  assert.deepEqual(ask('sh'), { there: false, reasons: [hidden] })
})

test('where a skip would hide something, a missing program is a failure', () => {
  process.env['BACKPLANE_CI'] = '1'
  assert.throws(() => ask('no-such-program'), /no-such-program is not installed/)
})

function ask(program: string): { there: boolean; reasons: readonly string[] } {
  const reasons: string[] = []
  const context = { skip: (reason: string) => void reasons.push(reason) } as unknown as TestContext
  return { there: requireProgram(context, program, 'some-package'), reasons }
}
