import { hash, randomBytes } from 'node:crypto'
import { mkdir, open, readFile, rename, rm } from 'node:fs/promises'
import { dirname } from 'node:path'
import type { RememberedNames } from './directory-memo.ts'
import { timeSlice } from './time-slice.ts'

/*
 * The manifests of a plugin directory in one file, so that a host with thousands of them starts by reading one file and
 * stating the rest. It is a cache: a package counts as known only while its fingerprint (path, mode, size, both times
 * and inode of every file) is what it was. One line of header, then lines of some entries each, so that reading it can
 * pause between them:
 *
 *   {"format":"backplane-manifests-1","sha256":"<of everything after this line>"}
 *   [["package", path, fingerprint, manifest], ["folder", path, inode, modifiedMs, changedMs, names], …]
 */

/** What an earlier look left behind. */
export interface ManifestIndex {
  readonly packages: ReadonlyMap<string, IndexedManifest>
  readonly folders: ReadonlyMap<string, RememberedNames>
}

/** A manifest, valid while the package has this fingerprint. */
export interface IndexedManifest {
  readonly path: string
  readonly fingerprint: string
  readonly manifest: unknown
}

const format = 'backplane-manifests-1'
const entriesPerLine = 128

/** Undefined when there is none, or one that cannot be trusted: damaged, cut short, of another format. */
export async function readIndex(path: string): Promise<ManifestIndex | undefined> {
  const bytes = await readFile(path).catch(() => Buffer.alloc(0))
  const start = bytes.indexOf('\n') + 1
  const body = bytes.subarray(start)
  if (bytes.toString('latin1', 0, start) !== headerOf(body)) return undefined
  const packages = new Map<string, IndexedManifest>()
  const folders = new Map<string, RememberedNames>()
  const breathe = timeSlice()
  for (let from = 0, to = 0; from < body.length; from = to + 1) {
    to = body.indexOf('\n', from)
    for (const entry of JSON.parse(body.toString('utf8', from, to)) as readonly IndexEntry[]) {
      if (entry[0] === 'package') packages.set(entry[1], { path: entry[1], fingerprint: entry[2], manifest: entry[3] })
      else folders.set(entry[1], { inode: entry[2], modifiedMs: entry[3], changedMs: entry[4], names: entry[5] })
    }
    const pause = breathe()
    if (pause !== undefined) await pause
  }
  return { packages, folders }
}

/** Replaces the index as one step; a reader sees the old one or the new one. */
export async function writeIndex(path: string, entries: Iterable<IndexEntry>): Promise<void> {
  const body = await bodyOf(entries)
  const temporary = `${path}.${randomBytes(8).toString('hex')}`
  await mkdir(dirname(path), { recursive: true, mode: 0o700 })
  try {
    await using file = await open(temporary, 'wx', 0o600)
    await file.writeFile(headerOf(body) + body)
    await file.sync()
    await rename(temporary, path)
  } catch (error) {
    await rm(temporary, { force: true })
    throw error
  }
}

async function bodyOf(entries: Iterable<IndexEntry>): Promise<string> {
  const breathe = timeSlice()
  const lines: string[] = []
  let line: IndexEntry[] = []
  for (const entry of entries) {
    line.push(entry)
    if (line.length < entriesPerLine) continue
    lines.push(`${JSON.stringify(line)}\n`)
    line = []
    const pause = breathe()
    if (pause !== undefined) await pause
  }
  return `${lines.join('')}${JSON.stringify(line)}\n`
}

/** One entry of the index. */
export type IndexEntry =
  | readonly ['package', path: string, fingerprint: string, manifest: unknown]
  | readonly ['folder', path: string, inode: number, modifiedMs: number, changedMs: number, names: readonly string[]]

function headerOf(body: string | Uint8Array): string {
  return `${JSON.stringify({ format, sha256: hash('sha256', body) })}\n`
}
