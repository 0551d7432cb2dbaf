import assert from 'node:assert/strict'
import { test } from 'node:test'
import { PlatformError } from '@backplane/sdk'
import { CommanderError } from 'commander'
import { tellFailure } from './tell-failure.ts'

function told(thrown: unknown, json = false): { readonly code: number; readonly err: string } {
  let err = ''
  const code = tellFailure(thrown, {
    terminal: { err: (text) => void (err += text), colors: false },
    json,
    usage: (reason) => new PlatformError('DEMO_USAGE', reason),
    defect: (reason, cause) => new PlatformError('DEMO_DEFECT', `demo failed: ${reason}`, { cause }),
    exitOf: (error) => ({ DEMO_USAGE: 2, DEMO_BUSY: 75 })[error.code],
  })
  return { code, err }
}

test('what ended a program is told with code, sentence and what to do, and steers no terminal', () => {
  const busy = new PlatformError('DEMO_BUSY', 'it is\nbusy\u001B[2J\u202E', { hint: 'Wait.\u0007' })
  assert.deepEqual(told(busy), { code: 75, err: 'DEMO_BUSY: it is busy\uFFFD[2J\uFFFD\nWait.\uFFFD\n' })
  const { code, err } = told(busy, true)
  assert.deepEqual([code, JSON.parse(err).message], [75, busy.message])
  assert.match(err, /^[ -~]*\n$/)
})

test('a command line that makes no sense is usage, what nobody foresaw a defect, and help no failure', () => {
  assert.deepEqual(told(new CommanderError(1, 'commander.unknownCommand', "error: unknown command 'x'\n(Did you mean y?)")), {
    code: 2,
    err: "DEMO_USAGE: unknown command 'x' (Did you mean y?)\n",
  })
  assert.deepEqual(told('just a string'), { code: 70, err: 'DEMO_DEFECT: demo failed: just a string\n' })
  assert.deepEqual(told(new CommanderError(0, 'commander.helpDisplayed', '')), { code: 0, err: '' })
  assert.deepEqual(told(new CommanderError(1, 'commander.help', '')), { code: 2, err: '' })
})
