import { checkedSize, type ImageBytes, type ImageHeader } from './image-header.ts'

const cookie = 'conectix'
const differencing = 4

/**
 * Reads the footer of a virtual hard disk: the last 512 bytes; a dynamic disk has a copy of it at the start.
 * Source: Microsoft "Virtual Hard Disk Image Format Specification" 1.0.
 */
export async function readVhd(image: ImageBytes): Promise<ImageHeader | undefined> {
  if (image.sizeBytes < 512) return undefined
  const footer = (await footerAt(image, image.sizeBytes - 512)) ?? (await footerAt(image, 0))
  if (footer === undefined) return undefined
  const header = { format: 'vhd', virtualSizeBytes: checkedSize(image, 'vhd', footer.readBigUInt64BE(48)) } as const
  if (footer.readUInt32BE(60) !== differencing) return header
  return { ...header, unsupported: 'it is a differencing disk that needs its parent' }
}

async function footerAt(image: ImageBytes, offset: number): Promise<Buffer | undefined> {
  const bytes = await image.read(offset, 512)
  return bytes.length === 512 && bytes.toString('latin1', 0, 8) === cookie ? bytes : undefined
}
