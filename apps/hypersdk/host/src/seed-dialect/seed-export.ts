import { stat } from 'node:fs/promises'
import { basename, extname, isAbsolute, join, relative, sep } from 'node:path'
import type { Call } from '@backplane/sdk'
import { DiskFormat, type ExportItem } from '@hypersdk/points'
import { seedErrors } from './errors.ts'
import { fieldsOf, inBothSpellings, methodOf } from './field-names.ts'
import { seedContext } from './seed-context.ts'

/** What of an export request ExportVM is told. */
export interface SeedExportRequest {
  readonly id: string
  readonly format: DiskFormat
  readonly staging_dir: string
  readonly include_snapshots?: boolean | undefined
  readonly remove_cdrom?: boolean | undefined
  readonly metadata?: Readonly<Record<string, unknown>> | undefined
}

/**
 * Calls ExportVM with the staging directory as its `OutputPath`, and hands over the files it says it wrote there. What
 * it says of size and checksum is not used: the host finds that out itself. Errors: `SEED_RESULT_INVALID`.
 */
export async function* seedExport(
  provider: unknown,
  name: string,
  request: SeedExportRequest,
  call: Call,
): AsyncGenerator<ExportItem> {
  const { id, format, staging_dir: staging } = request
  const options = {
    output_path: staging,
    format,
    compress: false,
    compression_level: 0,
    include_snapshots: request.include_snapshots ?? false,
    remove_cdrom: request.remove_cdrom ?? false,
    metadata: request.metadata ?? {},
  }
  const result = fieldsOf(await methodOf(provider, 'ExportVM')?.(seedContext(call), id, inBothSpellings(options)))
  const vm = result('vm_name')
  if (typeof vm === 'string' && vm !== '') yield { kind: 'vm', name: vm }
  const files = writtenFiles(result, name, staging)
  for (const [index, file] of files.entries()) {
    const stats = await stat(join(staging, file)).catch(() => undefined)
    if (stats?.isFile() !== true) throw invalid(name, `a file that is not there, ${file}`)
    const disk = `disk${index}`
    yield {
      kind: 'disk',
      disk,
      format: formatOf(file, result('format'), format),
      size_bytes: stats.size,
      label: basename(file),
      boot: index === 0,
    }
    yield { kind: 'file', disk, path: file }
  }
}

/** `Files`, or `OutputPath` when it names one file; relative to the staging directory and inside it. */
function writtenFiles(result: ReturnType<typeof fieldsOf>, name: string, staging: string): string[] {
  const listed = result('files')
  const output = result('output_path')
  const given: readonly unknown[] = Array.isArray(listed) && listed.length > 0 ? listed : [output]
  const files = given.map((path) => {
    if (typeof path !== 'string' || path === '') throw invalid(name, 'no Files')
    const inside = isAbsolute(path) ? relative(staging, path) : path
    if (inside === '' || inside.split(sep).includes('..')) throw invalid(name, `a file outside OutputPath, ${path}`)
    return inside
  })
  return [...new Set(files)]
}

function formatOf(file: string, said: unknown, wanted: DiskFormat): DiskFormat {
  const candidates = [extname(file).slice(1).toLowerCase(), said]
  const known = candidates.map((candidate) => DiskFormat.safeParse(candidate)).find((parsed) => parsed.success)
  return known?.data ?? wanted
}

function invalid(name: string, problem: string): Error {
  return seedErrors.error('SEED_RESULT_INVALID', { name, method: 'ExportVM', problem })
}
