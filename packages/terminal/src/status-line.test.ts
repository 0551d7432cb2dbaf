import assert from 'node:assert/strict'
import { test } from 'node:test'
import { StatusLine } from './status-line.ts'

test('a line replaces itself; what is printed takes its place, and the last one is left where it ends', () => {
  let written = ''
  const line = new StatusLine({ err: (text) => void (written += text) })
  line.replace('10 %')
  line.replace('20 %')
  line.print('the host is back')
  line.replace('30 %')
  line.end()
  line.end()
  line.print('done')
  const clear = '\r\u001B[K'
  assert.equal(written, `${clear}10 %${clear}20 %${clear}the host is back\n${clear}30 %\ndone\n`)
})
