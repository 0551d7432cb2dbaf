import { join } from 'node:path'
import type { Call } from '@backplane/sdk'
import { qemuConvert, type QemuFormat } from '@hypersdk/points/programs'
import { libvirtErrors } from './errors.ts'

/** One disk to copy out. */
export interface DiskCopy {
  /** Name of the domain, for messages. */
  readonly name: string
  readonly target: string
  readonly path: string
  /** As libvirt names it. */
  readonly format: string
  readonly to: QemuFormat
  readonly staging: string
}

/**
 * Copies one disk, with everything below it, into a new file of the staging directory and answers the file's name.
 * Progress is told in per cent. Errors: `LIBVIRT_PROGRAM_MISSING`, `LIBVIRT_DISK_IN_USE`, `LIBVIRT_CONVERT_FAILED`.
 */
export async function convertDisk(copy: DiskCopy, call: Call): Promise<string> {
  const { name, target, path } = copy
  const file = `${target}.${copy.to}`
  const result = await qemuConvert({
    source: path,
    sourceFormat: copy.format,
    target: join(copy.staging, file),
    format: copy.to,
    signal: call.signal,
    onPercent: (percent) => call.progress(percent, 100, `convert ${target}`),
  })
  switch (result.kind) {
    case 'done':
      return file
    case 'missing': {
      const { reason } = result
      throw libvirtErrors.error('LIBVIRT_PROGRAM_MISSING', { program: 'qemu-img', package: 'qemu-utils', reason })
    }
    case 'in-use':
      throw libvirtErrors.error('LIBVIRT_DISK_IN_USE', { name, target })
    case 'failed':
      throw libvirtErrors.error('LIBVIRT_CONVERT_FAILED', { name, target, path, reason: result.reason })
  }
}
