import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import { test } from 'node:test'
import { confined, contained, trusted } from '@backplane/runtimes'
import { temporaryDirectory } from '@backplane/testing'
import { modules, readTapes } from './host.ts'

const whole = createHash('sha256')
for (let piece = 0; piece < 64; piece++) whole.update(new Uint8Array(65_536).fill(piece))
const sha256 = whole.digest('hex')
const lastPiece = createHash('sha256').update(new Uint8Array(65_536).fill(63)).digest('hex')

for (const make of [trusted, contained, confined]) {
  test(`the stream example reads every byte, and no more than it wants, in the ${make.name} tier`, async (t) => {
    await using runtime = make({ modules })
    const reading = await readTapes(runtime, await temporaryDirectory(t))
    assert.equal(reading.bytes, 64 * 65_536)
    assert.equal(reading.sha256, sha256)
    assert.equal(reading.lastPiece, lastPiece)
    assert.ok(reading.progress > 0)
    assert.ok(reading.madeForThree < 100, `${reading.madeForThree} pieces were made for three that were read`)
  })
}
