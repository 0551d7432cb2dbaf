import { checkedSize, damagedHeader, type ImageBytes, type ImageHeader } from './image-header.ts'

const magic = 0x514649fb
const backingFormatExtension = 0xe2792aca
const externalDataFile = 1n << 2n
const longestName = 1023
const headBytes = 64 * 1024

/** Reads a qcow2 header, versions 2 and 3. Source: QEMU docs/interop/qcow2.txt. */
export async function readQcow2(image: ImageBytes): Promise<ImageHeader | undefined> {
  const head = await image.read(0, headBytes)
  if (head.length < 4 || head.readUInt32BE(0) !== magic) return undefined
  if (head.length < 104) throw damagedHeader(image, 'qcow2', 'it is cut short')
  const version = head.readUInt32BE(4)
  if (version !== 2 && version !== 3) throw damagedHeader(image, 'qcow2', `it is of version ${version}`)
  const features = version === 3 ? head.readBigUInt64BE(72) : 0n
  const backing = await backingFile(image, head, version === 3 ? head.readUInt32BE(100) : 72)
  return {
    format: 'qcow2',
    virtualSizeBytes: checkedSize(image, 'qcow2', head.readBigUInt64BE(24)),
    internalSnapshots: head.readUInt32BE(60),
    ...(backing === undefined ? {} : { backing }),
    ...((features & externalDataFile) === 0n ? {} : { unsupported: 'its data is in an external data file' }),
  }
}

async function backingFile(image: ImageBytes, head: Buffer, extensionsAt: number): Promise<ImageHeader['backing']> {
  const offset = head.readBigUInt64BE(8)
  const length = head.readUInt32BE(16)
  if (offset === 0n || length === 0) return undefined
  if (length > longestName || offset > BigInt(image.sizeBytes)) {
    throw damagedHeader(image, 'qcow2', 'its backing file name is out of place')
  }
  const name = await image.read(Number(offset), length)
  if (name.length !== length || name.includes(0)) throw damagedHeader(image, 'qcow2', 'its backing file name is broken')
  const format = extension(head, extensionsAt, backingFormatExtension)
  return { path: name.toString('utf8'), ...(format === undefined ? {} : { format }) }
}

/** Text of one header extension: type, length, data padded to eight bytes, ended by type 0. */
function extension(head: Buffer, start: number, wanted: number): string | undefined {
  for (let at = start; at + 8 <= head.length;) {
    const type = head.readUInt32BE(at)
    const length = head.readUInt32BE(at + 4)
    if (type === 0 || at + 8 + length > head.length) return undefined
    if (type === wanted) return head.toString('utf8', at + 8, at + 8 + length)
    at += 8 + Math.ceil(length / 8) * 8
  }
  return undefined
}
