import { execFile } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { mkdir, open, rename, rm, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { promisify } from 'node:util'

const mebibyte = 1024 * 1024
/** Size of the sample disk as a machine would see it; far less of it is really written. */
export const sampleDiskBytes: number = 64 * mebibyte

/** Places data is written to, with how much; the rest of the disk is holes. Bytes. */
const written: readonly (readonly [offset: number, length: number])[] = [
  [1 * mebibyte, 4 * mebibyte],
  [20 * mebibyte, 2 * mebibyte],
  [63 * mebibyte, 1 * mebibyte],
]

/** What {@link makeSampleDisks} found or made. */
export interface SampleDisks {
  readonly directory: string
  readonly made: readonly string[]
  /** Whether `qemu-img` is there; without it only the raw disk is made. */
  readonly qemuImg: boolean
}

/** Makes the sample disks that are not there yet: a sparse raw one, and a qcow2 when `qemu-img` is installed. */
export async function makeSampleDisks(directory: string): Promise<SampleDisks> {
  await mkdir(directory, { recursive: true })
  const raw = join(directory, 'sample-server.raw')
  const qcow2 = join(directory, 'sample-desktop.qcow2')
  const made: string[] = []
  if (!(await exists(raw))) {
    await whole(raw, writeRawDisk)
    made.push(raw)
  }
  const qemuImg = await hasQemuImg()
  if (qemuImg && !(await exists(qcow2))) {
    await whole(qcow2, async (path) => void (await run('qemu-img', ['convert', '-f', 'raw', '-O', 'qcow2', raw, path])))
    made.push(qcow2)
  }
  return { directory, made, qemuImg }
}

const run = promisify(execFile)

async function hasQemuImg(): Promise<boolean> {
  return run('qemu-img', ['--version']).then(
    () => true,
    () => false,
  )
}

async function exists(path: string): Promise<boolean> {
  return stat(path).then(
    () => true,
    () => false,
  )
}

/** Makes a file under another name first, so that an interrupted run leaves no half disk. */
async function whole(path: string, make: (path: string) => Promise<void>): Promise<void> {
  const unfinished = `${path}.unfinished`
  try {
    await make(unfinished)
    await rename(unfinished, path)
  } finally {
    await rm(unfinished, { force: true })
  }
}

/** A disk with a partition table, one Linux partition, some data in it, and holes between. */
async function writeRawDisk(path: string): Promise<void> {
  await using file = await open(path, 'w')
  await file.truncate(sampleDiskBytes)
  await file.write(partitionTable(), 0, 512, 0)
  for (const [offset, length] of written) {
    const block = randomBytes(length)
    block.write(`Backplane sample disk, data at byte ${offset}\n`)
    await file.write(block, 0, length, offset)
  }
  await file.sync()
}

/** Source: the classical MBR: partition entries at byte 446, signature at byte 510. */
function partitionTable(): Buffer {
  const sector = Buffer.alloc(512)
  const firstSector = mebibyte / 512
  sector.writeUInt8(0x80, 446)
  sector.writeUInt8(0x83, 450)
  sector.writeUInt32LE(firstSector, 454)
  sector.writeUInt32LE(sampleDiskBytes / 512 - firstSector, 458)
  sector.writeUInt16LE(0xaa55, 510)
  return sector
}
