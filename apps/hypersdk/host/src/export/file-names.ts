import { createHash } from 'node:crypto'
import type { VmInfo } from '@hypersdk/points'
import { exportErrors } from './errors.ts'

const longestBytes = 100
const exportIdPattern = /^[A-Za-z0-9_-]{1,64}$/

/** Names of the files of one export, all in its output directory. */
export interface FileNames {
  /** The machine's name as part of a file name; the same for every export of that machine. */
  readonly base: string
  readonly manifest: string
  /** Tells how much of which disk is safely written; there only under its partial name. */
  readonly journal: string
  /** The first disk is `web.raw`, the second `web-disk-2.raw`; so a name never depends on disks still to come. */
  readonly disk: (number: number) => string
  /** What a file is called until the export is complete. */
  readonly partial: (name: string) => string
}

/**
 * Errors: `EXPORT_ID_INVALID`.
 * @param suffix what follows the machine's name, such as `raw` or `raw.gz`
 */
export function fileNames(vm: Pick<VmInfo, 'id' | 'name'>, exportId: string, suffix: string): FileNames {
  const partial = partialSuffix(exportId)
  const base = safeName(vm)
  return {
    base,
    manifest: `${base}.manifest.json`,
    journal: `${base}.journal.json`,
    disk: (number) => (number === 1 ? `${base}.${suffix}` : `${base}-disk-${number}.${suffix}`),
    partial: (name) => `${name}${partial}`,
  }
}

/** How the unfinished files of one export end; no finished file ends so. Errors: `EXPORT_ID_INVALID`. */
export function partialSuffix(exportId: string): string {
  if (!exportIdPattern.test(exportId)) throw exportErrors.error('EXPORT_ID_INVALID', { id: exportId })
  return `.partial-${exportId}`
}

/** How a file ends that an export replaces, until all of the export is in place. Errors: `EXPORT_ID_INVALID`. */
export function replacedSuffix(exportId: string): string {
  return partialSuffix(exportId).replace('.partial-', '.replaced-')
}

/**
 * A machine's name without separators, control characters and whatever else has a meaning in a path or a shell; never
 * empty, never dots alone. A name that had to change gets a mark of the machine's own, so `a/b` and `a:b` stay apart.
 */
function safeName(vm: Pick<VmInfo, 'id' | 'name'>): string {
  const name = vm.name.normalize('NFC')
  const plain = name.replaceAll(/[^\p{L}\p{M}\p{N}._-]+/gu, '_').replace(/^[.-]+/, '_')
  const safe = shorten(plain)
  if (safe === name && safe !== '') return safe
  const mark = createHash('sha256').update(`${vm.name}\0${vm.id}`).digest('hex').slice(0, 8)
  return `${safe.replace(/_+$/, '') || 'vm'}-${mark}`
}

/** File names are limited in bytes, not in characters. */
function shorten(name: string): string {
  const { read } = new TextEncoder().encodeInto(name, new Uint8Array(longestBytes))
  return name.slice(0, read)
}
