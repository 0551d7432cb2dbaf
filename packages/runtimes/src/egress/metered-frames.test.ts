import assert from 'node:assert/strict'
import { randomInt } from 'node:crypto'
import { once } from 'node:events'
import { test } from 'node:test'
import { socketEnds } from '../fixtures/raw-guest.ts'
import { connectBlock, connectFrame, frame, preface } from '../fixtures/raw-frames.ts'
import { MeteredFrames } from './metered-frames.ts'

test('however the bytes are cut, and however slowly they may pass, they all pass as they came, both ways', async (t) => {
  const sizes = [0, 1, 8, 9, 10, 300, 16_384]
  const frames = Array.from({ length: 60 }, (_, at) =>
    frame({ type: at % 4 === 0 ? 1 : 0, stream: 1, payload: Buffer.alloc(sizes[at % sizes.length] ?? 0, at) }),
  )
  const whole = Buffer.concat([preface(), ...frames])
  for (const rates of [
    { framesPerSecond: 1e6, requestsPerSecond: 1e6 },
    { framesPerSecond: 400, requestsPerSecond: 1e6 },
    { framesPerSecond: 1e6, requestsPerSecond: 100 },
  ]) {
    const [host, guest] = await socketEnds(t)
    const metered = new MeteredFrames(host, rates)
    for (let at = 0; at < whole.length;) {
      const size = randomInt(1, at < 200 ? 7 : 20_000)
      guest.write(whole.subarray(at, at + size))
      if (size % 3 === 0) await new Promise(setImmediate)
      at += size
    }
    const heard: Buffer[] = []
    guest.on('data', (part: Buffer) => heard.push(part))
    metered.cork()
    for (const each of frames) metered.write(each)
    metered.uncork()
    while (Buffer.concat(heard).length < Buffer.concat(frames).length) await once(guest, 'data')
    assert.ok(Buffer.concat(heard).equals(Buffer.concat(frames)))
    guest.end()
    const came: Buffer[] = []
    metered.on('data', (part: Buffer) => came.push(part))
    await once(metered, 'end')
    assert.ok(Buffer.concat(came).equals(whole), JSON.stringify(rates))
  }
})

test('over its rate of frames, or of requests, a plugin waits, and its bytes wait with it', async (t) => {
  const small = frame({ type: 0, stream: 1, payload: Buffer.from('a') })
  const request = connectFrame(1, connectBlock('a:1'))
  for (const [each, rates] of [
    [small, { framesPerSecond: 40, requestsPerSecond: 1e6 }],
    [request, { framesPerSecond: 1e6, requestsPerSecond: 40 }],
  ] as const) {
    const [host, guest] = await socketEnds(t)
    const metered = new MeteredFrames(host, rates)
    const sinceMs = performance.now()
    guest.write(Buffer.concat([preface(), ...Array<Buffer>(200_000).fill(each)]))
    let bytes = 0
    metered.on('data', (part: Buffer) => (bytes += part.length))
    while (bytes < preface().length + 14 * each.length) await once(metered, 'data')
    const passed = Math.floor((bytes - preface().length) / each.length)
    const most = 10 + (40 * (performance.now() - sinceMs)) / 1_000
    assert.ok(passed <= most + 1, `${passed} of ${most}`)
    assert.ok(host.bytesRead < 512 * 1024, `${host.bytesRead} bytes were read`)
    const closed = new Promise((resolve) => guest.once('close', resolve))
    guest.on('error', () => undefined)
    metered.destroy()
    await closed
  }
})
