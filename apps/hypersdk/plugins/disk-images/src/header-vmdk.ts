import { checkedSize, damagedHeader, type ImageBytes, type ImageHeader, type VmdkExtent } from './image-header.ts'

const sectorBytes = 512
const longestDescriptor = 64 * 1024
const mostExtents = 1024

/** Reads a VMDK: one sparse file, or a text descriptor of several. Source: VMware "Virtual Disk Format 5.0". */
export async function readVmdk(image: ImageBytes): Promise<ImageHeader | undefined> {
  const head = await image.read(0, sectorBytes)
  const magic = head.toString('latin1', 0, 4)
  if (magic === 'KDMV') return readSparse(image, head)
  if (magic === 'COWD') return readCowd(image, head)
  if (/^# *Disk DescriptorFile/i.test(head.toString('latin1'))) return readDescriptor(image)
  return undefined
}

async function readSparse(image: ImageBytes, head: Buffer): Promise<ImageHeader> {
  if (head.length < sectorBytes) throw damagedHeader(image, 'vmdk', 'it is cut short')
  const sectors = head.readBigUInt64LE(12)
  if (sectors === 0n) throw damagedHeader(image, 'vmdk', 'its capacity is zero')
  const at = checkedSize(image, 'vmdk', head.readBigUInt64LE(28) * BigInt(sectorBytes))
  const length = Math.min(longestDescriptor, checkedSize(image, 'vmdk', head.readBigUInt64LE(36) * BigInt(sectorBytes)))
  const descriptor = at === 0 ? '' : text(await image.read(at, length))
  return {
    format: 'vmdk',
    virtualSizeBytes: checkedSize(image, 'vmdk', sectors * BigInt(sectorBytes)),
    ...parent(descriptor),
  }
}

function readCowd(image: ImageBytes, head: Buffer): ImageHeader {
  if (head.length < 16) throw damagedHeader(image, 'vmdk', 'it is cut short')
  return { format: 'vmdk', virtualSizeBytes: head.readUInt32LE(12) * sectorBytes }
}

async function readDescriptor(image: ImageBytes): Promise<ImageHeader> {
  if (image.sizeBytes > longestDescriptor) throw damagedHeader(image, 'vmdk', 'its descriptor is too long')
  const descriptor = text(await image.read(0, longestDescriptor))
  const extents = descriptor.split(/\r?\n/).filter((line) => /^(RW|RDONLY|NOACCESS)\s/.test(line))
  if (extents.length === 0 || extents.length > mostExtents) throw damagedHeader(image, 'vmdk', 'it lists no extents, or too many')
  const parsed = extents.map((line) => parseExtent(image, line))
  const sectors = parsed.reduce((sum, extent) => sum + extent.sectors, 0)
  return { format: 'vmdk', virtualSizeBytes: sectors * sectorBytes, extents: parsed, ...parent(descriptor) }
}

const extentLine = /^(?:RW|RDONLY)\s+(\d{1,12})\s+(FLAT|SPARSE|VMFS|VMFSSPARSE|SESPARSE)\s+"([^"]+)"(?:\s+(\d{1,12}))?\s*$/

function parseExtent(image: ImageBytes, line: string): VmdkExtent {
  const [, sectors, type, file, offset = '0'] = extentLine.exec(line) ?? []
  if (file === undefined) {
    throw damagedHeader(image, 'vmdk', `the extent ${JSON.stringify(line.slice(0, 80))} is of a kind that is not supported`)
  }
  return {
    sectors: Number(sectors),
    type: (type === 'VMFS' ? 'FLAT' : type) as VmdkExtent['type'],
    file,
    offsetSectors: Number(offset),
  }
}

function parent(descriptor: string): { unsupported?: string } {
  const child = /^\s*parentFileNameHint\s*=/im.test(descriptor) || /^\s*parentCID\s*=\s*(?!f{8}\b)/im.test(descriptor)
  return child ? { unsupported: 'it is a delta disk that needs its parent' } : {}
}

function text(bytes: Buffer): string {
  const end = bytes.indexOf(0)
  return bytes.toString('utf8', 0, end === -1 ? bytes.length : end)
}
