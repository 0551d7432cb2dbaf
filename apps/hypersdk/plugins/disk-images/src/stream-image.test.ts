import assert from 'node:assert/strict'
import { open, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { test, type TestContext } from 'node:test'
import { requireProgram } from '@backplane/testing'
import { collect, gather, imageBench, writeSparseDisk } from './fixtures/image-files.ts'
import { chunkBytes, streamImage, type ImagePiece } from './stream-image.ts'

const MiB = 1024 * 1024

async function pieces(t: TestContext, content: Uint8Array): Promise<ImagePiece[]> {
  const { other } = await imageBench(t)
  const path = join(other, 'disk')
  await writeFile(path, content)
  await using file = await open(path)
  return await gather(streamImage(file, content.length))
}

test('a raw disk arrives byte for byte, and its zeros as holes', async (t) => {
  const { provider, images, staging, other } = await imageBench(t)
  await writeSparseDisk(join(images, 'web.raw'), 40 * MiB)
  const items = await collect(
    provider.exportVm({ export_id: 'e', id: 'web.raw', format: 'raw', staging_dir: staging }),
    join(other, 'out'),
  )
  assert.deepEqual(await readFile(join(other, 'out')), await readFile(join(images, 'web.raw')))
  assert.deepEqual(
    items.map((item) => item.kind),
    ['vm', 'disk', 'bytes', 'hole', 'bytes', 'hole', 'bytes'],
  )
  const carried = items.reduce((sum, item) => sum + (item.kind === 'bytes' ? item.bytes.length : 0), 0)
  assert.ok(carried < MiB, `${carried} bytes carried for 200 KiB of data`)
  assert.deepEqual(provider.progress.at(-1), { done: 40 * MiB, total: 40 * MiB, phase: 'read' })
})

test('pieces follow each other without gaps and none is larger than one chunk', async (t) => {
  const content = new Uint8Array(5 * MiB + 777).fill(1)
  content.fill(0, MiB + 100, 3 * MiB)
  const found = await pieces(t, content)
  let next = 0
  for (const piece of found) {
    assert.equal(piece.offset, next)
    next += piece.kind === 'hole' ? piece.length : piece.bytes.length
    if (piece.kind === 'bytes') assert.ok(piece.bytes.length <= chunkBytes)
  }
  assert.equal(next, content.length)
  assert.equal(found.filter((piece) => piece.kind === 'hole').length, 1)
})

test('each piece has a buffer of its own, so handing one over does not take another away', async (t) => {
  const content = new Uint8Array(MiB)
  content.fill(1, 0, 65_536)
  content.fill(1, 3 * 65_536, 4 * 65_536)
  const buffers = (await pieces(t, content)).flatMap((piece) => (piece.kind === 'bytes' ? [piece.bytes.buffer] : []))
  assert.equal(new Set(buffers).size, 2)
})

test('an empty file and a file of zeros alone have no bytes', async (t) => {
  assert.deepEqual(await pieces(t, new Uint8Array(0)), [])
  assert.deepEqual(await pieces(t, new Uint8Array(3 * MiB + 5)), [{ kind: 'hole', offset: 0, length: 3 * MiB + 5 }])
})

test('what lies outside the ranges of data is not read', async (t) => {
  const { other } = await imageBench(t)
  const path = join(other, 'disk')
  await writeFile(path, new Uint8Array(4 * MiB).fill(9))
  await using file = await open(path)
  const found = await gather(streamImage(file, 4 * MiB, [{ start: 2 * MiB, end: 2 * MiB + 4096 }]))
  assert.deepEqual(
    found.map(({ kind, offset }) => [kind, offset]),
    [
      ['hole', 0],
      ['bytes', 2 * MiB],
      ['hole', 2 * MiB + 4096],
    ],
  )
})

test('a consumer that stops early leaves no read behind', async (t) => {
  const { other } = await imageBench(t)
  const path = join(other, 'disk')
  await writeFile(path, new Uint8Array(4 * MiB).fill(9))
  const file = await open(path)
  for await (const piece of streamImage(file, 4 * MiB)) {
    assert.equal(piece.kind, 'bytes')
    break
  }
  await file.close()
})

test('the holes of a huge sparse disk are not read at all when qemu-img can tell them', async (t) => {
  if (!requireProgram(t, 'qemu-img', 'qemu-utils')) return
  const { provider, images, staging, other } = await imageBench(t)
  const size = 2 ** 40
  await writeSparseDisk(join(images, 'huge.raw'), size)
  const items = provider.exportVm({ export_id: 'e', id: 'huge.raw', format: 'raw', staging_dir: staging })
  await collect(items, join(other, 'out'))
  await using copy = await open(join(other, 'out'))
  const { bytesRead, buffer } = await copy.read(Buffer.alloc(10), 0, 10, size - 3)
  assert.equal(buffer.toString('utf8', 0, bytesRead), 'end')
})

test('an export goes on at the byte it is asked to as long as the image is the same, else it begins at 0', async (t) => {
  const { provider, images, staging } = await imageBench(t)
  const path = join(images, 'web.raw')
  await writeSparseDisk(path, 40 * MiB)
  const request = { export_id: 'e', id: 'web.raw', format: 'raw', staging_dir: staging }
  const declared = async (resume: object[]): Promise<{ etag: string; from_bytes: number; first: number | undefined }> => {
    let first: number | undefined
    let disk: { etag?: string | undefined; from_bytes?: number | undefined } = {}
    for await (const item of provider.exportVm({ ...request, resume })) {
      if (item.kind === 'disk') disk = item
      if (item.kind === 'bytes' || item.kind === 'hole') first ??= item.offset
    }
    return { etag: disk.etag ?? '', from_bytes: disk.from_bytes ?? -1, first }
  }
  const { etag } = await declared([])
  const asked = (offset: number): object[] => [{ disk: 'disk0', etag, offset_bytes: offset }]
  assert.deepEqual(await declared(asked(7 * MiB)), { etag, from_bytes: 7 * MiB, first: 7 * MiB })
  assert.deepEqual(await declared(asked(40 * MiB)), { etag, from_bytes: 40 * MiB, first: undefined })
  assert.deepEqual(await declared(asked(41 * MiB)), { etag, from_bytes: 0, first: 0 })
  await writeSparseDisk(path, 40 * MiB)
  const later = await declared(asked(7 * MiB))
  assert.deepEqual([later.from_bytes, later.first, later.etag === etag], [0, 0, false])
})
