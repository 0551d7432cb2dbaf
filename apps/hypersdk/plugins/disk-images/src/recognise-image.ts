import { imagesErrors } from './errors.ts'
import { readQcow2 } from './header-qcow2.ts'
import { readVdi } from './header-vdi.ts'
import { readVhd } from './header-vhd.ts'
import { readVhdx } from './header-vhdx.ts'
import { readVmdk } from './header-vmdk.ts'
import type { ImageBytes, ImageHeader } from './image-header.ts'

const readers: readonly ((image: ImageBytes) => Promise<ImageHeader | undefined>)[] = [
  readQcow2,
  readVhdx,
  readVmdk,
  readVdi,
  readVhd,
]

/**
 * Recognises an image by its magic bytes, never by its name alone: only what carries no magic may be `raw`, and only
 * when its name says so. Reads some KiB. Errors: `IMAGES_UNRECOGNISED`, `IMAGES_HEADER_DAMAGED`.
 */
export async function recogniseImage(image: ImageBytes): Promise<ImageHeader> {
  for (const read of readers) {
    const header = await read(image)
    if (header !== undefined) return header
  }
  if (/\.(raw|img)$/i.test(image.id)) return rawHeader(image)
  throw imagesErrors.error('IMAGES_UNRECOGNISED', { id: image.id })
}

/** The header of a disk's plain bytes, which have none. */
export function rawHeader(image: ImageBytes): ImageHeader {
  return { format: 'raw', virtualSizeBytes: image.sizeBytes }
}
