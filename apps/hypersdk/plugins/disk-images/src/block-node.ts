import { writeFile } from 'node:fs/promises'
import { dirname, isAbsolute, join, relative } from 'node:path'
import { imagesErrors } from './errors.ts'
import type { ImageDirectory, OpenFile } from './image-directory.ts'
import { imageBytes, type ImageHeader, type VmdkExtent } from './image-header.ts'
import { rawHeader, recogniseImage } from './recognise-image.ts'

/** An image and every file it needs, opened by us, in the form qemu-img takes. Dispose it to close what it opened. */
export interface BlockNode extends AsyncDisposable {
  /** The `json:` file name for qemu-img. It names open descriptors only, so nothing but these files can be read. */
  readonly source: string
  /** To be inherited in this order from descriptor 3 on. */
  readonly descriptors: readonly number[]
  /** Errors: `IMAGES_CHANGED`. */
  readonly expectUnchanged: () => Promise<void>
}

const deepestChain = 32
const drivers = { raw: 'raw', qcow2: 'qcow2', vmdk: 'vmdk', vhd: 'vpc', vhdx: 'vhdx', vdi: 'vdi' } as const

/**
 * Opens what an image stands on: backing files and extents. They are opened only inside the directory, and qemu-img is
 * told the whole chain explicitly instead of finding it itself, so a hostile header cannot pull in any other file.
 * `staging` receives a clean copy of a VMDK's descriptor; the image's own file stays the caller's. Errors:
 * `IMAGES_REFERENCE_OUTSIDE`, `IMAGES_REFERENCE_UNSUPPORTED`.
 */
export async function openBlockNode(
  directory: ImageDirectory,
  image: { readonly file: OpenFile; readonly header: ImageHeader },
  staging: string,
): Promise<BlockNode> {
  await using stack = new AsyncDisposableStack()
  const chain = new Chain(directory, staging, stack)
  const source = `json:${JSON.stringify(await chain.node(image.file, image.header, 1))}`
  const owned = stack.move()
  return {
    source,
    descriptors: chain.files.map((file) => file.handle.fd),
    expectUnchanged: async () => {
      for (const file of chain.files) await file.expectUnchanged()
    },
    [Symbol.asyncDispose]: () => owned.disposeAsync(),
  }
}

/** One node of QEMU's block graph. Source: QEMU "BlockdevOptions" in qapi/block-core.json. */
type Node = Readonly<Record<string, unknown>>

class Chain {
  readonly files: OpenFile[] = []
  readonly #directory: ImageDirectory
  readonly #staging: string
  readonly #stack: AsyncDisposableStack

  constructor(directory: ImageDirectory, staging: string, stack: AsyncDisposableStack) {
    this.#directory = directory
    this.#staging = staging
    this.#stack = stack
  }

  async node(file: OpenFile, header: ImageHeader, depth: number): Promise<Node> {
    if (header.unsupported !== undefined) throw unsupported(file.id, header.unsupported)
    if (depth > deepestChain) throw unsupported(file.id, `it stands on more than ${deepestChain} images`)
    if (header.extents !== undefined) return this.#descriptor(file.id, header.extents)
    const driver = drivers[header.format]
    const bytes = { driver: 'file', filename: this.#inherited(file) }
    if (header.format === 'qcow2') return { driver, file: bytes, backing: await this.#backing(file.id, header.backing, depth) }
    return header.format === 'vmdk' ? { driver, file: bytes, backing: null } : { driver, file: bytes }
  }

  async #backing(id: string, reference: ImageHeader['backing'], depth: number): Promise<Node | null> {
    if (reference === undefined) return null
    const below = await this.#open(id, reference.path)
    const bytes = imageBytes(below.id, below.handle, Number(below.stat.size))
    const header = reference.format === 'raw' ? rawHeader(bytes) : await recogniseImage(bytes)
    return this.node(below, header, depth + 1)
  }

  /** A VMDK of several files: its descriptor is written anew, naming our open descriptors instead of paths. */
  async #descriptor(id: string, extents: readonly VmdkExtent[]): Promise<Node> {
    const lines: string[] = []
    for (const extent of extents) lines.push(await this.#extent(id, extent))
    const createType = extents.every((extent) => extent.type === 'FLAT') ? 'twoGbMaxExtentFlat' : 'twoGbMaxExtentSparse'
    const head = ['# Disk DescriptorFile', 'version=1', 'CID=fffffffe', 'parentCID=ffffffff', `createType="${createType}"`]
    const filename = join(this.#staging, 'source-descriptor.vmdk')
    await writeFile(filename, [...head, ...lines, ''].join('\n'), { mode: 0o600 })
    return { driver: 'vmdk', file: { driver: 'file', filename }, backing: null }
  }

  async #extent(id: string, extent: VmdkExtent): Promise<string> {
    const file = await this.#open(id, extent.file)
    const path = this.#inherited(file)
    if (extent.type === 'FLAT') return `RW ${extent.sectors} FLAT "${path}" ${extent.offsetSectors}`
    // A sparse extent has a descriptor of its own that could name further files.
    const header = await recogniseImage(imageBytes(file.id, file.handle, Number(file.stat.size)))
    if (header.format !== 'vmdk' || header.extents !== undefined) throw unsupported(id, `${file.id} is no sparse extent`)
    return `RW ${extent.sectors} ${extent.type} "${path}"`
  }

  /** Opens what an image refers to: relative to the image itself, as QEMU and VMware read it. */
  async #open(id: string, reference: string): Promise<OpenFile> {
    const { path } = this.#directory
    try {
      const file = await this.#directory.open(
        relative(path, isAbsolute(reference) ? reference : join(path, dirname(id), reference)),
      )
      return this.#stack.use(file)
    } catch (error) {
      throw imagesErrors.error('IMAGES_REFERENCE_OUTSIDE', { id, reference }, { cause: error })
    }
  }

  /** Hands a file to qemu-img; descriptors 0 to 2 are the standard ones. */
  #inherited(file: OpenFile): string {
    return `/dev/fd/${this.files.push(file) + 2}`
  }
}

function unsupported(id: string, reason: string): Error {
  return imagesErrors.error('IMAGES_REFERENCE_UNSUPPORTED', { id, reason })
}
