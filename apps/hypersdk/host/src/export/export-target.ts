import { lstat, mkdir } from 'node:fs/promises'
import { isAbsolute, join } from 'node:path'
import type { DiskFormat } from '@hypersdk/points'
import { exportErrors } from './errors.ts'
import type { ExportInput } from './export-input.ts'
import { fileNames, type FileNames } from './file-names.ts'
import { writeError } from './write-error.ts'

const formats = ['raw', 'qcow2', 'vmdk', 'vhd', 'vhdx', 'vdi'] as const
const defaultGzipLevel = 6

/** Formats an export is written in; `ovf` and `ova` are packages of several files, which this host does not build. */
export type WrittenFormat = (typeof formats)[number]

/** Where and how the files of one export are written. */
export interface ExportTarget {
  readonly exportId: string
  /** Absolute. */
  readonly directory: string
  readonly names: FileNames
  readonly format: WrittenFormat
  /** Undefined writes disks as they are. */
  readonly gzipLevel: number | undefined
  readonly overwrite: boolean
}

/** Errors: `EXPORT_FORMAT_UNSUPPORTED`, `EXPORT_ID_INVALID`. */
export function exportTarget({ exportId, vm, options, outputDirectory }: ExportInput): ExportTarget {
  const format = writtenFormat(options.format)
  return {
    exportId,
    directory: outputDirectory,
    names: fileNames(vm, exportId, options.compress ? `${format}.gz` : format),
    format,
    gzipLevel: options.compress ? (options.compression_level ?? defaultGzipLevel) : undefined,
    overwrite: options.overwrite,
  }
}

function writtenFormat(format: DiskFormat): WrittenFormat {
  const written = formats.find((known) => known === format)
  if (written === undefined) throw exportErrors.error('EXPORT_FORMAT_UNSUPPORTED', { format, supported: formats.join(', ') })
  return written
}

/** Makes the directory when it is missing. Errors: `EXPORT_WRITE_FAILED`, also for one that is not absolute. */
export async function makeDirectory({ directory }: ExportTarget): Promise<void> {
  if (!isAbsolute(directory)) throw await writeError('it is not an absolute path', directory)
  try {
    await mkdir(directory, { recursive: true })
  } catch (error) {
    throw await writeError(error, directory)
  }
}

/** Errors: `EXPORT_TARGET_EXISTS`, also with `overwrite` when the name is a directory's. */
export async function refuseExisting(
  { directory, overwrite }: Pick<ExportTarget, 'directory' | 'overwrite'>,
  name: string,
): Promise<void> {
  const path = join(directory, name)
  const found = await lstat(path).catch(() => undefined)
  if (found !== undefined && (!overwrite || found.isDirectory())) throw exportErrors.error('EXPORT_TARGET_EXISTS', { path })
}

const claimed = new Set<string>()

/**
 * Keeps the target for one export of this process until disposed: two exports to one name are told apart when the second
 * starts, not when it ends. Errors: `EXPORT_TARGET_BUSY`.
 */
export function claimTarget({ directory, names }: ExportTarget): Disposable {
  return claimPath(join(directory, names.manifest))
}

/** The same by the path of the manifest. */
export function claimPath(path: string): Disposable {
  if (claimed.has(path)) throw exportErrors.error('EXPORT_TARGET_BUSY', { path })
  claimed.add(path)
  return { [Symbol.dispose]: () => claimed.delete(path) }
}
