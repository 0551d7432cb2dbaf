import assert from 'node:assert/strict'
import { test } from 'node:test'
import { PassThrough } from 'node:stream'
import { holdTalk } from './held-talk.ts'

test('what is written meanwhile is told line by line, and comes out whole when the screen is gone', () => {
  const stream = new PassThrough()
  const told: string[] = []
  {
    using talk = holdTalk(stream, (text) => told.push(text))
    stream.write('one\ntw')
    stream.write(Buffer.from('o\nthr'))
    assert.deepEqual([told, talk.lines, stream.read()], [['one', 'two'], ['one', 'two'], null])
  }
  assert.equal(String(stream.read()), 'one\ntwo\nthr\n')
  stream.write('after\n')
  assert.equal(String(stream.read()), 'after\n')
})

test('of very much that is written the newest is kept', () => {
  const stream = new PassThrough()
  {
    using talk = holdTalk(stream, () => undefined)
    for (let line = 0; line < 1_000; line += 1) stream.write(`${line}\n`)
    assert.deepEqual([talk.lines.length, talk.lines.at(-1)], [200, '999'])
  }
  assert.match(String(stream.read()), /^800\n/)
})

test('nothing is written where nothing was, and who waits for the writing is called', async () => {
  const stream = new PassThrough()
  {
    using talk = holdTalk(stream, () => undefined)
    await new Promise<void>((resolve) => void stream.write('', () => resolve()))
    assert.deepEqual(talk.lines, [])
  }
  assert.equal(stream.read(), null)
})
