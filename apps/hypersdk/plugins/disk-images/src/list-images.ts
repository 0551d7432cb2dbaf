import { PlatformError } from '@backplane/sdk'
import type { VmInfo } from '@hypersdk/points'
import type { ImageDirectory } from './image-directory.ts'
import { imageBytes, type ImageHeader } from './image-header.ts'
import { rawHeader, recogniseImage } from './recognise-image.ts'
import { readSidecar, type Sidecar } from './sidecar.ts'

/** One image with what is known of it. */
export interface Image {
  readonly id: string
  readonly header: ImageHeader
  readonly sidecar: Sidecar
  readonly fileSizeBytes: number
}

const imageNames = /\.(raw|img|qcow2|vmdk|vdi|vhd|vhdx)$/i
const atOnce = 8

/**
 * Every image of the directory as a machine, sorted by id. A file named like an image that cannot be read as one is
 * listed too, with the reason in `metadata.problem`; other files count when their bytes are an image's.
 */
export async function listImages(directory: ImageDirectory, signal: AbortSignal): Promise<VmInfo[]> {
  const files = await directory.files()
  const found: (Entry | undefined)[] = []
  const queue = files.entries()
  const work = async (): Promise<void> => {
    for (const [index, id] of queue) {
      signal.throwIfAborted()
      found[index] = await inspect(directory, id)
    }
  }
  await Promise.all(Array.from({ length: atOnce }, work))
  const entries = found.filter((entry) => entry !== undefined)
  const parts = new Set(entries.flatMap((entry) => entry.parts))
  return entries.filter((entry) => !parts.has(entry.machine.id)).map((entry) => entry.machine)
}

/** Reads one image. Errors: `IMAGES_NOT_FOUND`, `IMAGES_UNSAFE_ENTRY`, `IMAGES_UNRECOGNISED`, `IMAGES_HEADER_DAMAGED`, `IMAGES_SIDECAR_INVALID`. */
export async function readImage(directory: ImageDirectory, id: string): Promise<{ image: Image; machine: VmInfo }> {
  await using file = await directory.open(id)
  const sidecar = await readSidecar(directory, id)
  const bytes = imageBytes(id, file.handle, Number(file.stat.size))
  const header = sidecar.format === 'raw' ? rawHeader(bytes) : await recogniseImage(bytes)
  const image = { id, header, sidecar, fileSizeBytes: bytes.sizeBytes }
  return { image, machine: describe(image, file.stat) }
}

interface Entry {
  readonly machine: VmInfo
  /** Ids of the files a VMDK descriptor puts together; they are no machines of their own. */
  readonly parts: readonly string[]
}

async function inspect(directory: ImageDirectory, id: string): Promise<Entry | undefined> {
  try {
    const read = await readImage(directory, id)
    const folder = id.slice(0, id.lastIndexOf('/') + 1)
    return { machine: read.machine, parts: (read.image.header.extents ?? []).map((extent) => folder + extent.file) }
  } catch (error) {
    if (!imageNames.test(id)) return undefined
    const problem = error instanceof PlatformError ? `${error.code}: ${error.message}` : String(error)
    return { machine: { ...blank(id), metadata: { problem } }, parts: [] }
  }
}

function describe(image: Image, stat: { birthtimeMs: bigint; mtimeMs: bigint }): VmInfo {
  const { header, sidecar } = image
  return {
    ...blank(image.id),
    ...(sidecar.name === undefined ? {} : { name: sidecar.name }),
    guest_os: sidecar.guestOs ?? '',
    memory_mb: sidecar.memoryMb ?? 0,
    num_cpus: sidecar.cpus ?? 0,
    storage_gb: Math.round((header.virtualSizeBytes / 1024 ** 3) * 1e6) / 1e6,
    tags: { ...sidecar.tags },
    metadata: {
      format: header.format,
      virtual_size_bytes: header.virtualSizeBytes,
      file_size_bytes: image.fileSizeBytes,
      ...(header.backing === undefined ? {} : { backing_file: header.backing.path }),
    },
    created_at: stat.birthtimeMs > 0n ? new Date(Number(stat.birthtimeMs)).toISOString() : null,
    updated_at: new Date(Number(stat.mtimeMs)).toISOString(),
  }
}

function blank(id: string): VmInfo {
  return {
    provider: 'disk-images',
    id,
    name: id.slice(id.lastIndexOf('/') + 1).replace(imageNames, ''),
    state: 'stopped',
    location: id.includes('/') ? id.slice(0, id.indexOf('/')) : '',
    power_state: 'off',
    guest_os: '',
    memory_mb: 0,
    num_cpus: 0,
    storage_gb: 0,
    ip_addresses: [],
    tags: {},
    metadata: {},
    created_at: null,
    updated_at: null,
  }
}
