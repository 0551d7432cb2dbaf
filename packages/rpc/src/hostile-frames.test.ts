import assert from 'node:assert/strict'
import { test } from 'node:test'
import { rawPeer } from './fixtures/ends.ts'

test('a port message that is no batch ends the session', async () => {
  const shared = new Uint8Array(new SharedArrayBuffer(8))
  const view = new Uint8Array(new ArrayBuffer(1024), 0, 8)
  const strange: readonly unknown[] = [
    undefined,
    null,
    true,
    -1,
    0.5,
    1e300,
    {},
    [],
    ['[]'],
    ['[]', 'no bytes'],
    [1, new Uint8Array(1)],
    ['[]', shared],
    ['[]', view],
    ['[]', new Float64Array(1)],
    new Map([['a', 1]]),
    ['[]', ...Array.from({ length: 1_025 }, () => new Uint8Array(1))],
  ]
  for (const raw of strange) {
    await using peer = await rawPeer('port')
    peer.sendRaw(raw)
    const end = await peer.session.ended
    assert.equal(end.kind === 'violated' && end.error.code, 'RPC_BAD_FRAME')
  }
})

function words(...values: readonly number[]): Buffer {
  const buffer = Buffer.alloc(values.length * 4)
  for (const [at, value] of values.entries()) buffer.writeUInt32BE(value, at * 4)
  return buffer
}

test('a frame whose lengths do not fit ends the session', async () => {
  const notUtf8 = Buffer.concat([words(12, 4, 0), Buffer.from([0xff, 0xfe, 0x5b, 0x5d])])
  const frames: readonly (readonly [Buffer, string])[] = [
    [words(0), 'RPC_BAD_FRAME'],
    [words(7, 0, 0), 'RPC_BAD_FRAME'],
    [words(0xffffffff), 'RPC_MESSAGE_TOO_LARGE'],
    [words(2 ** 31), 'RPC_MESSAGE_TOO_LARGE'],
    [Buffer.from('this is not a frame'), 'RPC_MESSAGE_TOO_LARGE'],
    [words(8, 1, 0), 'RPC_BAD_FRAME'],
    [words(8, 0xffffffff, 0), 'RPC_BAD_FRAME'],
    [words(8, 0, 1), 'RPC_BAD_FRAME'],
    [words(8, 0, 0xffffffff), 'RPC_BAD_FRAME'],
    [words(12, 0, 1, 1), 'RPC_BAD_FRAME'],
    [words(12, 0, 1, 0xffffffff), 'RPC_BAD_FRAME'],
    [words(12, 0, 0, 0), 'RPC_BAD_FRAME'],
    [words(8, 0, 0), 'RPC_BAD_MESSAGE'],
    [notUtf8, 'RPC_BAD_FRAME'],
  ]
  for (const [frame, code] of frames) {
    await using peer = await rawPeer('socket')
    peer.sendRaw(frame)
    const end = await peer.session.ended
    assert.equal(end.kind === 'violated' && end.error.code, code, frame.toString('hex'))
  }
})
