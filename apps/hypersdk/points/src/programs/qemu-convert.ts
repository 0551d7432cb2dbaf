import type { DiskFormat } from '../provider-config.ts'
import { runProgram, type ProgramResult } from './run-program.ts'

/** Formats of one disk, which qemu-img reads and writes. */
export type QemuFormat = Exclude<DiskFormat, 'ovf' | 'ova'>

/** One disk to copy, with everything below it, into a file of its own. */
export interface QemuConversion {
  /** A path, or a `json:` description of a block node. */
  readonly source: string
  /** In qemu-img's own word, and then the disk is never probed: a guest may write any header into a raw disk. */
  readonly sourceFormat?: string
  /** Open files the source finds as `/dev/fd/3` and up. */
  readonly descriptors?: readonly number[]
  /** The new file. */
  readonly target: string
  readonly format: QemuFormat
  readonly signal: AbortSignal
  /** Told how far it is, 0 to 100. */
  readonly onPercent: (percent: number) => void
}

/** How a conversion ended. `in-use`: another program writes to the source. */
export type ConvertResult = ProgramResult | { readonly kind: 'in-use' }

const targets: Readonly<Record<QemuFormat, readonly string[]>> = {
  raw: ['-O', 'raw'],
  qcow2: ['-O', 'qcow2'],
  vmdk: ['-O', 'vmdk'],
  vdi: ['-O', 'vdi'],
  vhdx: ['-O', 'vhdx'],
  // Without force_size the size would be rounded up to what old disk geometry can express.
  vhd: ['-O', 'vpc', '-o', 'subformat=dynamic,force_size=on'],
}

/** Converts a disk with qemu-img. Rejects only with the signal's reason, and only after qemu-img is gone. */
export async function qemuConvert(conversion: QemuConversion): Promise<ConvertResult> {
  const { source, sourceFormat, target, format, onPercent } = conversion
  const known = sourceFormat === undefined ? [] : ['-f', sourceFormat]
  const result = await runProgram('qemu-img', {
    args: ['convert', '-p', ...known, ...targets[format], source, target],
    descriptors: conversion.descriptors ?? [],
    signal: conversion.signal,
    onOutput: (text) => {
      // It writes `    (12.34/100%)` again and again on one line.
      const percent = [...text.matchAll(/\((\d+(?:\.\d+)?)\/100%\)/g)].at(-1)?.[1]
      if (percent !== undefined) onPercent(Number(percent))
    },
  })
  // Source: QEMU file-posix.c, image locking: "Failed to get "consistent read" lock".
  return result.kind === 'failed' && /Failed to get .*lock/.test(result.reason) ? { kind: 'in-use' } : result
}
