import assert from 'node:assert/strict'
import { PassThrough } from 'node:stream'
import { test } from 'node:test'
import { setImmediate as turn } from 'node:timers/promises'
import type { Limits, PluginLogLine } from '@backplane/kernel'
import { testLimits } from '@backplane/testing'
import { PluginOutput, type OutputLimits } from './plugin-output.ts'

function outputOf(limits: Partial<OutputLimits & Limits> = {}): {
  output: PluginOutput
  stream: PassThrough
  lines: PluginLogLine[]
} {
  const output = new PluginOutput(limits)
  const { outputBytesPerSecond = 1e6, outputBurstBytes = 1e6 } = limits
  const stream = new PassThrough()
  const lines: PluginLogLine[] = []
  output.attach((line) => lines.push(line), { outputBytesPerSecond, outputBurstBytes })
  output.read(stream, 'info')
  return { output, stream, lines }
}

test('lines are put together from pieces, characters from bytes, and the last needs no end', async () => {
  const { stream, lines } = outputOf()
  const text = Buffer.from('first\nzw€i\r\n\nlast')
  for (const byte of text) stream.write(Buffer.from([byte]))
  stream.end()
  await turn()
  await turn()
  assert.deepEqual(
    lines.map(({ message }) => message),
    ['first', 'zw€i', 'last'],
  )
})

test('long lines are cut, and the last ones kept', async () => {
  const { output, stream, lines } = outputOf({ lineLength: 4, lastLines: 2 })
  stream.end('abcdefghij\n')
  await turn()
  assert.deepEqual(
    lines.map(({ message }) => message),
    ['abcd', 'efgh', 'ij'],
  )
  assert.deepEqual(output.lastLines, ['efgh', 'ij'])
})

test('more lines than the rate are dropped, and the next line says how many', () => {
  const { output, lines } = outputOf({ burstLines: 2, linesPerSecond: 0.001, outputBytesPerSecond: 500 })
  for (let at = 0; at < 10; at++) output.log({ level: 'info', message: String(at) })
  output.finish()
  output.finish()
  assert.deepEqual(
    lines.map(({ message }) => message),
    ['0', '1', '8 lines were dropped: more than 0.001, or 500 bytes, a second'],
  )
})

test('who prints more bytes than the rate is not read on', async () => {
  const { stream } = outputOf({ outputBurstBytes: 10, outputBytesPerSecond: 1 })
  stream.write('x'.repeat(9))
  await turn()
  assert.equal(stream.isPaused(), false)
  stream.write('x'.repeat(9))
  await turn()
  assert.equal(stream.isPaused(), true)
  stream.destroy()
})

test('what comes before anybody listens is told first', () => {
  const output = new PluginOutput()
  output.log({ level: 'info', message: 'early' })
  const lines: string[] = []
  output.attach(({ message }) => lines.push(message), testLimits)
  output.log({ level: 'info', message: 'late' })
  assert.deepEqual(lines, ['early', 'late'])
})
