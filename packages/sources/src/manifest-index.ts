import { hash, randomBytes } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { mkdir, open, rename, rm } from 'node:fs/promises'
import { dirname } from 'node:path'
import type { ManifestSummary } from '@backplane/kernel'
import type { RememberedNames } from './directory-memo.ts'
import type { FileStamp } from './file-stamp.ts'
import { timeSlice } from './time-slice.ts'

/*
 * The manifests of plugin directories in one file, so that a host with thousands of them starts by reading one file and
 * one stat per package. It is a cache: a package counts as known only while its `plugin.json` has the inode, size and
 * times it had. A line of header; lines of some entries each, so that reading can pause between them; an empty line; the
 * texts of the manifests, each parsed only when somebody needs more of it than the summary:
 *
 *   {"format":"backplane-manifests-2","sha256":"<of everything after this line>"}
 *   [["rules", rules of the summaries that follow],
 *    ["package", path, fingerprint, [inode, sizeBytes, modifiedMs, changedMs], offset and length of the text, summary],
 *    ["folder", path, inode, modifiedMs, changedMs, names], …]
 */

/** What an earlier look left behind. */
export interface ManifestIndex {
  readonly packages: ReadonlyMap<string, IndexedPackage>
  readonly folders: ReadonlyMap<string, RememberedNames>
}

/** A package as it was when it was last looked at as a whole. */
export interface IndexedPackage {
  /** Of the whole package. */
  readonly fingerprint: string
  /** Of its `plugin.json`. */
  readonly stamp: FileStamp
  readonly summary: ManifestSummary
  readonly text: ManifestText
}

/** A manifest as JSON, UTF-8: a part of a buffer that many share. */
export interface ManifestText {
  readonly bytes: Buffer
  readonly offset: number
  readonly length: number
}

const format = 'backplane-manifests-2'
const entriesPerLine = 256

/** Undefined when there is none, or one that cannot be trusted: damaged, cut short, of another format. */
export async function readIndex(path: string): Promise<ManifestIndex | undefined> {
  const file = readWhole(path)
  const start = file.indexOf('\n') + 1
  const body = file.subarray(start)
  if (file.toString('latin1', 0, start) !== headerOf(hash('sha256', body))) return undefined
  const packages = new Map<string, IndexedPackage>()
  const folders = new Map<string, RememberedNames>()
  const breathe = timeSlice()
  const end = body.indexOf('\n\n')
  const bytes = body.subarray(end + 2)
  let rules = ''
  for (let from = 0, to = 0; from < end; from = to + 1) {
    to = body.indexOf('\n', from)
    for (const entry of JSON.parse(body.toString('utf8', from, to)) as readonly IndexEntry[]) {
      if (entry[0] === 'package') {
        const [, at, fingerprint, stamp, offset, length, manifest] = entry
        packages.set(at, { fingerprint, stamp, summary: { rules, manifest }, text: { bytes, offset, length } })
      } else if (entry[0] === 'folder') {
        const [, at, inode, modifiedMs, changedMs, names] = entry
        folders.set(at, { inode, modifiedMs, changedMs, names })
      } else {
        rules = entry[1]
      }
    }
    const pause = breathe()
    if (pause !== undefined) await pause
  }
  return { packages, folders }
}

/** Replaces the index as one step; a reader sees the old one or the new one. */
export async function writeIndex(
  path: string,
  packages: Iterable<readonly [string, IndexedPackage]>,
  folders: Iterable<readonly [string, RememberedNames]>,
): Promise<void> {
  const body = await bodyOf(packages, folders)
  const temporary = `${path}.${randomBytes(8).toString('hex')}`
  await mkdir(dirname(path), { recursive: true, mode: 0o700 })
  try {
    await using file = await open(temporary, 'wx', 0o600)
    await file.writeFile(headerOf(hash('sha256', body)))
    await file.writeFile(body)
    await file.sync()
    await rename(temporary, path)
  } catch (error) {
    await rm(temporary, { force: true })
    throw error
  }
}

async function bodyOf(
  packages: Iterable<readonly [string, IndexedPackage]>,
  folders: Iterable<readonly [string, RememberedNames]>,
): Promise<Buffer> {
  const breathe = timeSlice()
  const texts: Buffer[] = []
  const lines: string[] = []
  let line: IndexEntry[] = []
  let offset = 0
  let rules = ''
  for (const [path, { fingerprint, stamp, summary, text }] of packages) {
    if (summary.rules !== rules) line.push(['rules', (rules = summary.rules)])
    line.push(['package', path, fingerprint, stamp, offset, text.length, summary.manifest])
    texts.push(text.bytes.subarray(text.offset, text.offset + text.length))
    offset += text.length
    if (line.length < entriesPerLine) continue
    lines.push(JSON.stringify(line))
    line = []
    const pause = breathe()
    if (pause !== undefined) await pause
  }
  for (const [path, known] of folders) line.push(['folder', path, known.inode, known.modifiedMs, known.changedMs, known.names])
  return Buffer.concat([Buffer.from([...lines, JSON.stringify(line), '', ''].join('\n')), ...texts])
}

type IndexEntry =
  | readonly ['rules', rules: string]
  | readonly [
      'package',
      path: string,
      fingerprint: string,
      stamp: FileStamp,
      offset: number,
      length: number,
      summary: ManifestSummary['manifest'],
    ]
  | readonly ['folder', path: string, inode: number, modifiedMs: number, changedMs: number, names: readonly string[]]

/** At once: asynchronously the file would come in pieces, which takes three times as long. */
function readWhole(path: string): Buffer {
  try {
    return readFileSync(path)
  } catch {
    return Buffer.alloc(0)
  }
}

function headerOf(sha256: string): string {
  return `${JSON.stringify({ format, sha256 })}\n`
}
