import { PlatformError } from '@backplane/sdk'
import { imagesErrors } from './errors.ts'
import type { ImageDirectory } from './image-directory.ts'

/** What an operator may say of an image that the image itself does not know: `web.json` beside `web.qcow2`. */
export interface Sidecar {
  readonly name?: string
  readonly memoryMb?: number
  readonly cpus?: number
  readonly guestOs?: string
  readonly firmware?: 'bios' | 'uefi'
  readonly tags?: Readonly<Record<string, string>>
  /** Takes the file for a disk's plain bytes, whatever they look like. */
  readonly format?: 'raw'
}

const longest = 64 * 1024
const keys = ['name', 'memory', 'cpus', 'guest_os', 'firmware', 'tags', 'format']

/** Reads and checks what is said of an image; nothing is an empty answer. Errors: `IMAGES_SIDECAR_INVALID` naming the key. */
export async function readSidecar(directory: ImageDirectory, id: string): Promise<Sidecar> {
  const file = id.replace(/(\.[^./]+)?$/, '.json')
  if (file === id) return {}
  const text = await readText(directory, file)
  if (text === undefined) return {}
  let value: unknown
  try {
    value = JSON.parse(text)
  } catch (error) {
    throw invalid(file, error instanceof Error ? error.message : 'it is not JSON')
  }
  if (!isObject(value)) throw invalid(file, 'it is not an object')
  const unknown = Object.keys(value).find((key) => !keys.includes(key))
  if (unknown !== undefined) throw invalid(file, `unknown key "${unknown}"; known are ${keys.join(', ')}`)
  return sidecar(file, value)
}

async function readText(directory: ImageDirectory, file: string): Promise<string | undefined> {
  try {
    await using opened = await directory.open(file)
    if (opened.stat.size > longest) throw invalid(file, 'it is longer than 64 KiB')
    return await opened.handle.readFile('utf8')
  } catch (error) {
    if (error instanceof PlatformError && error.code === 'IMAGES_NOT_FOUND') return undefined
    throw error
  }
}

function sidecar(file: string, value: Record<string, unknown>): Sidecar {
  const { name, memory, cpus, guest_os: guestOs, firmware, tags, format } = value
  const wrong = (key: string, wanted: string): Error => invalid(file, `"${key}" must be ${wanted}`)
  if (name !== undefined && (typeof name !== 'string' || name === '')) throw wrong('name', 'a text')
  if (guestOs !== undefined && typeof guestOs !== 'string') throw wrong('guest_os', 'a text')
  if (cpus !== undefined && (!Number.isInteger(cpus) || Number(cpus) < 1)) throw wrong('cpus', 'a positive whole number')
  if (firmware !== undefined && firmware !== 'bios' && firmware !== 'uefi') throw wrong('firmware', '"bios" or "uefi"')
  if (format !== undefined && format !== 'raw') throw wrong('format', '"raw" or left out')
  if (tags !== undefined && !isTextMap(tags)) throw wrong('tags', 'an object of texts')
  const memoryMb = memory === undefined ? undefined : megabytes(memory)
  if (memory !== undefined && memoryMb === undefined) throw wrong('memory', 'a size with unit, such as "2GiB"')
  return {
    ...(name === undefined ? {} : { name }),
    ...(memoryMb === undefined ? {} : { memoryMb }),
    ...(cpus === undefined ? {} : { cpus: Number(cpus) }),
    ...(guestOs === undefined ? {} : { guestOs }),
    ...(firmware === undefined ? {} : { firmware }),
    ...(tags === undefined ? {} : { tags }),
    ...(format === undefined ? {} : { format }),
  }
}

function megabytes(size: unknown): number | undefined {
  const [, amount, unit] = /^(\d+(?:\.\d+)?)(MiB|GiB|TiB)$/.exec(String(size)) ?? []
  if (amount === undefined) return undefined
  return Number(amount) * (unit === 'MiB' ? 1 : unit === 'GiB' ? 1024 : 1024 ** 2)
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

function isTextMap(value: unknown): value is Record<string, string> {
  return isObject(value) && Object.values(value).every((entry) => typeof entry === 'string')
}

function invalid(file: string, reason: string): Error {
  return imagesErrors.error('IMAGES_SIDECAR_INVALID', { file, reason })
}
