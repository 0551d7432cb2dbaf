import type { Call } from '@backplane/sdk'
import type { DiskFormat, ExportItem, ExportRequest } from '@hypersdk/points'
import { openBlockNode } from './block-node.ts'
import { convertImage } from './convert-image.ts'
import { dataRanges } from './data-ranges.ts'
import { imagesErrors } from './errors.ts'
import type { ImageDirectory, OpenFile } from './image-directory.ts'
import { imageBytes, type ImageFormat, type ImageHeader } from './image-header.ts'
import { rawHeader, recogniseImage } from './recognise-image.ts'
import { readSidecar, type Sidecar } from './sidecar.ts'
import { streamImage } from './stream-image.ts'

/** What of an export request matters here. */
export interface ImageExport {
  readonly id: string
  readonly format: DiskFormat
  readonly staging_dir: string
  readonly include_snapshots?: boolean | undefined
  readonly resume?: ExportRequest['resume']
}

const disk = 'disk0'

/**
 * Exports one image. When it already has the wanted format and stands alone, its bytes are streamed, holes kept; else
 * qemu-img converts it into the staging directory. Nothing is left at the source, so there is nothing to clean up.
 */
export async function* exportImage(directory: ImageDirectory, request: ImageExport, call: Call): AsyncGenerator<ExportItem> {
  const format = wantedFormat(request.format)
  await using file = await directory.open(request.id)
  const sidecar = await readSidecar(directory, request.id)
  const bytes = imageBytes(request.id, file.handle, Number(file.stat.size))
  const header = sidecar.format === 'raw' ? rawHeader(bytes) : await recogniseImage(bytes)
  yield describe(request, sidecar)
  const snapshots = header.internalSnapshots ?? 0
  const asItIs = header.format === format && standsAlone(header) && (snapshots === 0 || request.include_snapshots === true)
  if (request.include_snapshots === true && snapshots > 0 && !asItIs) {
    yield { kind: 'warning', stage: 'export', message: `the ${snapshots} snapshots inside ${request.id} are not carried over` }
  }
  if (asItIs) yield* streamed(file, { header, resume: request.resume ?? [] }, call)
  else yield* converted(directory, { file, header, format, staging: request.staging_dir }, call)
}

function wantedFormat(format: DiskFormat): ImageFormat {
  if (format === 'ovf' || format === 'ova') throw imagesErrors.error('IMAGES_FORMAT_UNSUPPORTED', { format })
  return format
}

function standsAlone(header: ImageHeader): boolean {
  return header.backing === undefined && header.extents === undefined && header.unsupported === undefined
}

function describe(request: ImageExport, sidecar: Sidecar): ExportItem {
  return {
    kind: 'vm',
    name: sidecar.name ?? request.id,
    ...(sidecar.cpus === undefined ? {} : { cpu: sidecar.cpus }),
    ...(sidecar.memoryMb === undefined ? {} : { mem_gb: sidecar.memoryMb / 1024 }),
    ...(sidecar.guestOs === undefined ? {} : { os_hint: sidecar.guestOs }),
    firmware: sidecar.firmware ?? 'unknown',
  }
}

async function* streamed(
  file: OpenFile,
  { header: { format }, resume }: { readonly header: ImageHeader; readonly resume: NonNullable<ExportRequest['resume']> },
  call: Call,
): AsyncGenerator<ExportItem> {
  const size = Number(file.stat.size)
  const etag = etagOf(file)
  const from = resume.find((one) => one.disk === disk && one.etag === etag && one.offset_bytes <= size)?.offset_bytes ?? 0
  const known = { format, source_format: format, size_bytes: size, label: file.id, boot: true }
  yield { kind: 'disk', disk, ...known, etag, from_bytes: from }
  const data = await dataRanges(file.handle, call.signal)
  for await (const piece of streamImage(file.handle, size, data, from)) {
    call.signal.throwIfAborted()
    call.progress(piece.offset, size, 'read')
    yield { ...piece, disk }
  }
  await file.expectUnchanged()
  call.progress(size, size, 'read')
}

/** Anything written to the file gives it another change time, which nobody can set. */
function etagOf({ stat: { dev, ino, size, mtimeNs, ctimeNs } }: OpenFile): string {
  return [dev, ino, size, mtimeNs, ctimeNs].map(String).join('-')
}

async function* converted(
  directory: ImageDirectory,
  work: { readonly file: OpenFile; readonly header: ImageHeader; readonly format: ImageFormat; readonly staging: string },
  call: Call,
): AsyncGenerator<ExportItem> {
  const { file, header, format, staging } = work
  await using node = await openBlockNode(directory, work, staging)
  // A raw disk is as long as the disk inside; how long a file of another format gets is known only afterwards.
  const size = format === 'raw' && header.format !== 'vhd' ? header.virtualSizeBytes : null
  yield { kind: 'disk', disk, format, source_format: header.format, size_bytes: size, label: file.id, boot: true }
  try {
    const path = await convertImage({ id: file.id, header, node }, { format, staging }, call)
    await node.expectUnchanged()
    yield { kind: 'file', disk, path }
  } catch (error) {
    // A change is the better explanation of whatever else went wrong.
    if (!call.signal.aborted) await node.expectUnchanged()
    throw error
  }
}
