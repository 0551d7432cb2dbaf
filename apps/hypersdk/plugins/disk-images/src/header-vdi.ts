import { checkedSize, damagedHeader, type ImageBytes, type ImageHeader } from './image-header.ts'

const signature = 0xbeda107f
const differencing = 4

/** Reads a VirtualBox disk image header. Source: VirtualBox VDICore.h, as in QEMU block/vdi.c. */
export async function readVdi(image: ImageBytes): Promise<ImageHeader | undefined> {
  const head = await image.read(0, 512)
  if (head.length < 68 || head.readUInt32LE(64) !== signature) return undefined
  if (head.length < 376) {
    throw damagedHeader(image, 'vdi', 'it is cut short')
  }
  const header = { format: 'vdi', virtualSizeBytes: checkedSize(image, 'vdi', head.readBigUInt64LE(368)) } as const
  if (head.readUInt32LE(76) !== differencing) return header
  return { ...header, unsupported: 'it is a differencing image that needs its parent' }
}
