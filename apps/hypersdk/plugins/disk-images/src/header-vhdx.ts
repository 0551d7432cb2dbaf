import { checkedSize, damagedHeader, type ImageBytes, type ImageHeader } from './image-header.ts'

const regionTables = [192 * 1024, 256 * 1024]
const metadataRegion = guid('8b7ca206-4790-4b9a-b8fe-575f050f886e')
const virtualDiskSize = guid('2fa54224-cd1b-4876-b211-5dbed83bf4b8')
const fileParameters = guid('caa16737-fa36-4d43-b3b6-33f0aa44e76b')
const hasParent = 2

/** Reads a VHDX: header, region table, metadata table. Source: [MS-VHDX] 2.2.3, 2.6. */
export async function readVhdx(image: ImageBytes): Promise<ImageHeader | undefined> {
  const head = await image.read(0, 8)
  if (head.toString('latin1') !== 'vhdxfile') return undefined
  const metadata = await metadataOffset(image)
  const table = await image.read(metadata, 64 * 1024)
  if (table.toString('latin1', 0, 8) !== 'metadata') throw damagedHeader(image, 'vhdx', 'it has no metadata table')
  const size = await image.read(metadata + itemOffset(image, table, virtualDiskSize), 8)
  const parameters = await image.read(metadata + itemOffset(image, table, fileParameters), 8)
  if (size.length < 8 || parameters.length < 8) throw damagedHeader(image, 'vhdx', 'its metadata is cut short')
  const header = { format: 'vhdx', virtualSizeBytes: checkedSize(image, 'vhdx', size.readBigUInt64LE(0)) } as const
  if ((parameters.readUInt32LE(4) & hasParent) === 0) return header
  return { ...header, unsupported: 'it is a differencing disk that needs its parent' }
}

async function metadataOffset(image: ImageBytes): Promise<number> {
  for (const at of regionTables) {
    const table = await image.read(at, 64 * 1024)
    if (table.length < 16 || table.toString('latin1', 0, 4) !== 'regi') continue
    const entry = findEntry(table, { first: 16, count: table.readUInt32LE(8), key: metadataRegion })
    if (entry !== undefined) return checkedSize(image, 'vhdx', table.readBigUInt64LE(entry + 16))
  }
  throw damagedHeader(image, 'vhdx', 'it has no metadata region')
}

function itemOffset(image: ImageBytes, table: Buffer, key: Buffer): number {
  const entry = findEntry(table, { first: 32, count: table.readUInt16LE(10), key })
  if (entry === undefined) throw damagedHeader(image, 'vhdx', 'its metadata does not say the size')
  return table.readUInt32LE(entry + 16)
}

/** Both tables hold entries of 32 bytes that begin with a GUID. */
function findEntry(table: Buffer, { first, count, key }: { first: number; count: number; key: Buffer }): number | undefined {
  for (let index = 0, at = first; index < count && at + 32 <= table.length; index++, at += 32) {
    if (table.compare(key, 0, 16, at, at + 16) === 0) return at
  }
  return undefined
}

/** A GUID as it is stored: the first three groups little-endian. */
function guid(text: string): Buffer {
  const [a = '', b = '', c = '', d = '', e = ''] = text.split('-')
  const swapped = [a, b, c].map((group) => Uint8Array.from(Buffer.from(group, 'hex')).toReversed())
  return Buffer.concat([...swapped, Buffer.from(d + e, 'hex')])
}
