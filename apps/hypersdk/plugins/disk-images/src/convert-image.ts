import { join } from 'node:path'
import type { Call } from '@backplane/sdk'
import { qemuConvert } from '@hypersdk/points/programs'
import type { BlockNode } from './block-node.ts'
import { imagesErrors } from './errors.ts'
import type { ImageFormat, ImageHeader } from './image-header.ts'

/**
 * Converts an image with qemu-img into a new file of the staging directory and answers the file's name. Progress is
 * told in bytes of the disk. Errors: `IMAGES_PROGRAM_MISSING`, `IMAGES_PROGRAM_FAILED`, `IMAGES_IN_USE`.
 */
export async function convertImage(
  image: { readonly id: string; readonly header: ImageHeader; readonly node: BlockNode },
  target: { readonly format: ImageFormat; readonly staging: string },
  call: Call,
): Promise<string> {
  const { id, header, node } = image
  const { format, staging } = target
  const size = header.virtualSizeBytes
  const file = `disk0.${format}`
  const result = await qemuConvert({
    source: node.source,
    descriptors: node.descriptors,
    target: join(staging, file),
    format,
    signal: call.signal,
    onPercent: (percent) => call.progress(Math.round((size * percent) / 100), size, 'convert'),
  })
  switch (result.kind) {
    case 'done':
      return file
    case 'missing':
      throw imagesErrors.error('IMAGES_PROGRAM_MISSING', { from: header.format, to: format, reason: result.reason })
    case 'in-use':
      throw imagesErrors.error('IMAGES_IN_USE', { id })
    case 'failed':
      throw imagesErrors.error('IMAGES_PROGRAM_FAILED', { id, reason: result.reason.replaceAll(node.source, id) })
  }
}
