import { join } from 'node:path'
import type { Call } from '@backplane/sdk'
import type { BlockNode } from './block-node.ts'
import { imagesErrors } from './errors.ts'
import type { ImageFormat, ImageHeader } from './image-header.ts'
import { runProgram } from './run-program.ts'

const targets: Readonly<Record<ImageFormat, readonly string[]>> = {
  raw: ['-O', 'raw'],
  qcow2: ['-O', 'qcow2'],
  vmdk: ['-O', 'vmdk'],
  vdi: ['-O', 'vdi'],
  vhdx: ['-O', 'vhdx'],
  // Without force_size the size would be rounded up to what old disk geometry can express.
  vhd: ['-O', 'vpc', '-o', 'subformat=dynamic,force_size=on'],
}

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
  const file = `disk0.${target.format}`
  const path = join(target.staging, file)
  const result = await runProgram('qemu-img', {
    args: ['convert', '-p', ...targets[target.format], node.source, path],
    descriptors: node.descriptors,
    signal: call.signal,
    onOutput: (text) => {
      const percent = lastPercent(text)
      if (percent !== undefined)
        call.progress(Math.round((header.virtualSizeBytes * percent) / 100), header.virtualSizeBytes, 'convert')
    },
  })
  if (result.kind === 'done') return file
  if (result.kind === 'missing') {
    throw imagesErrors.error('IMAGES_PROGRAM_MISSING', { from: header.format, to: target.format, reason: result.reason })
  }
  // Source: QEMU file-posix.c, image locking: "Failed to get "consistent read" lock".
  if (/Failed to get .*lock/.test(result.reason)) throw imagesErrors.error('IMAGES_IN_USE', { id })
  throw imagesErrors.error('IMAGES_PROGRAM_FAILED', { id, reason: result.reason.replaceAll(node.source, id) })
}

/** qemu-img writes `    (12.34/100%)` again and again on one line. */
function lastPercent(text: string): number | undefined {
  const matches = [...text.matchAll(/\((\d+(?:\.\d+)?)\/100%\)/g)]
  const last = matches.at(-1)?.[1]
  return last === undefined ? undefined : Number(last)
}
