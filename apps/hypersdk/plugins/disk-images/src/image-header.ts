import type { FileHandle } from 'node:fs/promises'
import { imagesErrors } from './errors.ts'

/** Formats this plugin reads. */
export type ImageFormat = 'raw' | 'qcow2' | 'vmdk' | 'vhd' | 'vhdx' | 'vdi'

/** What an image's own bytes say of it. */
export interface ImageHeader {
  readonly format: ImageFormat
  /** Size of the disk inside. */
  readonly virtualSizeBytes: number
  /** The image below this one. */
  readonly backing?: { readonly path: string; readonly format?: string }
  /** The files a VMDK descriptor puts together. */
  readonly extents?: readonly VmdkExtent[]
  /** Why the image cannot be read on its own, when it needs something this plugin does not follow. */
  readonly unsupported?: string
  readonly internalSnapshots?: number
}

/** One file of a VMDK that is made of several. */
export interface VmdkExtent {
  readonly sectors: number
  /** VMware's `VMFS` is `FLAT` at offset 0. */
  readonly type: 'FLAT' | 'SPARSE' | 'VMFSSPARSE' | 'SESPARSE'
  /** As written in the descriptor. */
  readonly file: string
  readonly offsetSectors: number
}

/** An open image as the readers of headers see it. */
export interface ImageBytes {
  readonly id: string
  readonly sizeBytes: number
  /** Up to `length` bytes from `offset`; shorter only at the end of the file. */
  readonly read: (offset: number, length: number) => Promise<Buffer>
}

/** An open file as {@link ImageBytes}. */
export function imageBytes(id: string, handle: FileHandle, sizeBytes: number): ImageBytes {
  const read = async (offset: number, length: number): Promise<Buffer> => {
    const buffer = Buffer.alloc(length)
    const { bytesRead } = await handle.read(buffer, 0, length, offset)
    return buffer.subarray(0, bytesRead)
  }
  return { id, sizeBytes, read }
}

/** The error of a header that cannot be right. */
export function damagedHeader(image: ImageBytes, format: ImageFormat, reason: string): Error {
  return imagesErrors.error('IMAGES_HEADER_DAMAGED', { id: image.id, format, reason })
}

/** A size from a header as a number; a header that claims more than 2^53 bytes is damaged. */
export function checkedSize(image: ImageBytes, format: ImageFormat, size: bigint): number {
  if (size <= BigInt(Number.MAX_SAFE_INTEGER)) return Number(size)
  throw damagedHeader(image, format, 'it claims an impossible size')
}
