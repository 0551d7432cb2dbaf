import { join } from 'node:path'
import type { Call } from '@backplane/sdk'
import type { DiskFormat } from '@hypersdk/points'
import { libvirtErrors } from './errors.ts'
import { runProgram } from './run-program.ts'

/** Formats a disk can be exported to. */
export type TargetFormat = Exclude<DiskFormat, 'ovf' | 'ova'>

const targets: Readonly<Record<TargetFormat, readonly string[]>> = {
  raw: ['-O', 'raw'],
  qcow2: ['-O', 'qcow2'],
  vmdk: ['-O', 'vmdk'],
  vdi: ['-O', 'vdi'],
  vhdx: ['-O', 'vhdx'],
  // Without force_size the size would be rounded up to what old disk geometry can express.
  vhd: ['-O', 'vpc', '-o', 'subformat=dynamic,force_size=on'],
}

/** One disk to copy out. */
export interface DiskCopy {
  /** Name of the domain, for messages. */
  readonly name: string
  readonly target: string
  readonly path: string
  /** As libvirt names it; the disk is never probed, because a guest may write any header into a raw disk. */
  readonly format: string
  readonly to: TargetFormat
  readonly staging: string
}

/**
 * Copies one disk, with everything below it, into a new file of the staging directory and answers the file's name.
 * Progress is told in per cent. Errors: `LIBVIRT_PROGRAM_MISSING`, `LIBVIRT_DISK_IN_USE`, `LIBVIRT_CONVERT_FAILED`.
 */
export async function convertDisk(copy: DiskCopy, call: Call): Promise<string> {
  const { name, target, path } = copy
  const file = `${target}.${copy.to}`
  const result = await runProgram('qemu-img', {
    args: ['convert', '-p', '-f', copy.format, ...targets[copy.to], path, join(copy.staging, file)],
    signal: call.signal,
    onOutput: (text) => {
      const percent = [...text.matchAll(/\((\d+(?:\.\d+)?)\/100%\)/g)].at(-1)?.[1]
      if (percent !== undefined) call.progress(Number(percent), 100, `convert ${target}`)
    },
  })
  if (result.kind === 'done') return file
  if (result.kind === 'missing') {
    throw libvirtErrors.error('LIBVIRT_PROGRAM_MISSING', { program: 'qemu-img', package: 'qemu-utils', reason: result.reason })
  }
  // Source: QEMU file-posix.c, image locking: "Failed to get "consistent read" lock".
  if (/Failed to get .*lock/.test(result.reason)) throw libvirtErrors.error('LIBVIRT_DISK_IN_USE', { name, target })
  throw libvirtErrors.error('LIBVIRT_CONVERT_FAILED', { name, target, path, reason: result.reason })
}
