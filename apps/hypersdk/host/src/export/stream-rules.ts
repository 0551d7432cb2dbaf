import type { PlatformError } from '@backplane/sdk'
import type { DiskFormat, ExportItem } from '@hypersdk/points'
import { exportErrors } from './errors.ts'
import type { ExportLimits } from './export-input.ts'

/** One kind of what an export yields. */
export type ItemOf<Kind extends ExportItem['kind']> = Extract<ExportItem, { kind: Kind }>

/** One disk as far as it is known; `received` grows with its items. */
export interface DeclaredDisk {
  readonly id: string
  /** 1 for the first disk declared. */
  readonly number: number
  readonly declared: ItemOf<'disk'>
  stage: 'declared' | 'receiving' | 'complete'
  received: number
}

/**
 * What a plugin may yield and in which order; what it yields is hostile until it has passed here. Pure: it reads items,
 * counts, and throws the error that says what was wrong. Holds no bytes.
 */
export class StreamRules {
  readonly #format: DiskFormat
  readonly #limits: ExportLimits
  readonly #disks = new Map<string, DeclaredDisk>()
  #notes = 0

  constructor(format: DiskFormat, limits: ExportLimits) {
    this.#format = format
    this.#limits = limits
  }

  /** In the order they were declared. */
  get disks(): readonly DeclaredDisk[] {
    return [...this.#disks.values()]
  }

  /** Errors: `EXPORT_DISK_REPEATED`, `EXPORT_FORMAT_MISMATCH`, `EXPORT_TOO_MUCH`, `EXPORT_LIMIT_EXCEEDED`. */
  declare(item: ItemOf<'disk'>): DeclaredDisk {
    if (this.#disks.has(item.disk)) throw exportErrors.error('EXPORT_DISK_REPEATED', { disk: item.disk })
    if (item.format !== this.#format) {
      throw exportErrors.error('EXPORT_FORMAT_MISMATCH', { disk: item.disk, expected: this.#format, found: item.format })
    }
    if (this.#disks.size >= this.#limits.disks) throw tooMuch(`${this.#disks.size + 1} disks`, `${this.#limits.disks}`)
    this.#checkSize(item.disk, item.size_bytes ?? 0)
    const number = this.#disks.size + 1
    const received = item.from_bytes ?? 0
    if (received > (item.size_bytes ?? Infinity)) throw tooMuchOf(item.disk, item.size_bytes ?? 0, received)
    const disk: DeclaredDisk = { id: item.disk, number, declared: item, stage: 'declared', received }
    this.#disks.set(item.disk, disk)
    return disk
  }

  /**
   * The next piece of a disk. Errors: `EXPORT_UNKNOWN_DISK`, `EXPORT_OUT_OF_ORDER`, `EXPORT_TOO_MUCH`,
   * `EXPORT_DISK_REPEATED` (after its end, or after another disk's bytes), `EXPORT_LIMIT_EXCEEDED`.
   */
  piece(item: ItemOf<'bytes'> | ItemOf<'hole'>): DeclaredDisk {
    const disk = this.#find(item)
    const length = item.kind === 'hole' ? item.length : item.bytes.length
    if (length === 0) this.note()
    if (item.offset !== disk.received) {
      throw exportErrors.error('EXPORT_OUT_OF_ORDER', { disk: disk.id, offset: item.offset, expected: disk.received })
    }
    const reached = item.offset + length
    const expected = disk.declared.size_bytes ?? Infinity
    if (reached > expected) throw tooMuchOf(disk.id, expected, reached)
    if (disk.stage === 'complete') throw exportErrors.error('EXPORT_DISK_REPEATED', { disk: disk.id })
    this.#checkSize(disk.id, reached)
    disk.stage = 'receiving'
    disk.received = reached
    return disk
  }

  /** A disk that comes as a file. Errors: `EXPORT_UNKNOWN_DISK`, `EXPORT_DISK_REPEATED`. */
  file(item: ItemOf<'file'>): DeclaredDisk {
    const disk = this.#find(item)
    if (disk.stage !== 'declared') throw exportErrors.error('EXPORT_DISK_REPEATED', { disk: disk.id })
    // A file comes whole.
    const { received: offset } = disk
    if (offset > 0) throw exportErrors.error('EXPORT_OUT_OF_ORDER', { disk: disk.id, offset, expected: 0 })
    return disk
  }

  /** How long that file is. Errors: `EXPORT_TOO_MUCH`, `EXPORT_INCOMPLETE`, `EXPORT_LIMIT_EXCEEDED`. */
  fileSize(disk: DeclaredDisk, bytes: number): void {
    const expected = disk.declared.size_bytes ?? bytes
    if (bytes > expected) throw tooMuchOf(disk.id, expected, bytes)
    if (bytes < expected) throw incomplete(disk, bytes)
    this.#checkSize(disk.id, bytes)
    disk.stage = 'receiving'
    disk.received = bytes
  }

  /** An item that brings no bytes. Errors: `EXPORT_LIMIT_EXCEEDED`. */
  note(): void {
    this.#notes++
    if (this.#notes > this.#limits.notes) throw tooMuch(`${this.#notes} items without bytes`, `${this.#limits.notes}`)
  }

  /** Nothing more comes for this disk. Errors: `EXPORT_INCOMPLETE`. */
  complete(disk: DeclaredDisk): void {
    const expected = disk.declared.size_bytes
    const nothing = expected === null && disk.received === 0
    if (nothing || (expected !== null && disk.received < expected)) throw incomplete(disk, disk.received)
    disk.stage = 'complete'
  }

  #find(item: ItemOf<'bytes'> | ItemOf<'hole'> | ItemOf<'file'>): DeclaredDisk {
    const disk = this.#disks.get(item.disk)
    if (disk === undefined) throw exportErrors.error('EXPORT_UNKNOWN_DISK', { disk: item.disk, kind: item.kind })
    return disk
  }

  #checkSize(disk: string, bytes: number): void {
    const { diskBytes } = this.#limits
    if (bytes > diskBytes) throw tooMuch(`${bytes} bytes in disk ${disk}`, `${diskBytes} bytes`)
  }
}

function incomplete(disk: DeclaredDisk, received: number): PlatformError {
  const expected = disk.declared.size_bytes ?? 'an unknown number of'
  return exportErrors.error('EXPORT_INCOMPLETE', { disk: disk.id, received, expected })
}

function tooMuchOf(disk: string, expected: number, received: number): PlatformError {
  return exportErrors.error('EXPORT_TOO_MUCH', { disk, expected, received })
}

function tooMuch(what: string, limit: string): PlatformError {
  return exportErrors.error('EXPORT_LIMIT_EXCEEDED', { what, limit })
}
