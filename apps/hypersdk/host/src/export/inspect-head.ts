import type { PlatformError } from '@backplane/sdk'
import type { DiskFormat } from '@hypersdk/points'
import { exportErrors } from './errors.ts'

/** What a format's first bytes say. */
interface Head {
  /** Whether they are those of the format at all. */
  readonly is: (bytes: Buffer) => boolean
  /** Which other file it needs, if any. */
  readonly needs?: (bytes: Buffer) => string | undefined
}

const ascii = (bytes: Buffer, at: number, text: string): boolean =>
  bytes.subarray(at, at + text.length).toString('latin1') === text

const qcow2ExternalData = 4n
const vdiDifference = 4
const vhdDifference = 4

/* Sources: QEMU docs/interop/qcow2.txt; Virtual Disk Format 5.0; VirtualBox VDICore.h; VHD 1.0 "Hard Disk Footer"; MS-VHDX §2.2.1. */
const heads: Readonly<Partial<Record<DiskFormat, Head>>> = {
  qcow2: {
    is: (bytes) => bytes.length >= 72 && ascii(bytes, 0, 'QFI\u00fb'),
    needs: (bytes) => {
      if (bytes.readBigUInt64BE(8) !== 0n) return 'it is an overlay of a backing file'
      const features = bytes.readUInt32BE(4) >= 3 && bytes.length >= 80 ? bytes.readBigUInt64BE(72) : 0n
      return (features & qcow2ExternalData) === 0n ? undefined : 'its data is in an external file'
    },
  },
  vmdk: {
    is: (bytes) => ascii(bytes, 0, 'KDMV') || ascii(bytes, 0, '# Disk DescriptorFile'),
    needs: (bytes) => {
      if (ascii(bytes, 0, '#')) return 'it is a descriptor whose data is in other files'
      const parent = /^parentCID=([0-9a-f]{8})/m.exec(bytes.subarray(0, 65_536).toString('latin1'))?.[1]
      return parent === undefined || parent === 'ffffffff' ? undefined : 'it is a snapshot of a parent disk'
    },
  },
  vdi: {
    is: (bytes) => bytes.length >= 80 && bytes.readUInt32LE(0x40) === 0xbe_da_10_7f,
    needs: (bytes) => (bytes.readUInt32LE(0x4c) === vdiDifference ? 'it is a difference to a parent disk' : undefined),
  },
  vhd: {
    // A fixed image is its bytes with a footer behind; only the others begin with a copy of it.
    is: (bytes) => bytes.length > 0,
    needs: (bytes) =>
      ascii(bytes, 0, 'conectix') && bytes.length >= 64 && bytes.readUInt32BE(60) === vhdDifference
        ? 'it is a difference to a parent disk'
        : undefined,
  },
  vhdx: { is: (bytes) => ascii(bytes, 0, 'vhdxfile') },
}

/**
 * Checks that a disk's first bytes are of the format they are said to be, and that the file can stand alone: an export
 * that is only the top of a chain of images looks complete and is not.
 * Errors: `EXPORT_FORMAT_MISMATCH`, `EXPORT_NOT_SELF_CONTAINED`.
 */
export function inspectHead(disk: string, format: DiskFormat, bytes: Buffer): void {
  const head = heads[format]
  if (head === undefined) return
  if (!head.is(bytes)) throw mismatch(disk, format)
  const reason = head.needs?.(bytes)
  if (reason !== undefined) throw exportErrors.error('EXPORT_NOT_SELF_CONTAINED', { disk, format, reason })
}

function mismatch(disk: string, expected: DiskFormat): PlatformError {
  return exportErrors.error('EXPORT_FORMAT_MISMATCH', { disk, expected, found: 'something else by its first bytes' })
}
