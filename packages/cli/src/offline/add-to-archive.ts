import { randomUUID } from 'node:crypto'
import { readFile, rename, rm, writeFile } from 'node:fs/promises'
import { gunzipSync, gzipSync } from 'node:zlib'
import { readArchive, tarEntry } from '@backplane/sources'
import { backplaneErrors } from '../errors.ts'
import { unreadable, unwritable } from './file-text.ts'

const blockBytes = 512
/** What is taken into memory of a package, bytes. */
const mostBytes = 256 * 1024 * 1024

/**
 * Puts a file into a `.tgz`, beside its `plugin.json`; the other entries stay byte for byte. The old archive or the new one is there, never
 * half of one. Errors: those of archives, `BACKPLANE_FILE_UNREADABLE`, `BACKPLANE_FILE_UNWRITABLE`, `BACKPLANE_FILE_INVALID` for another kind of archive, or when the file is in it already.
 */
export async function addToArchive(path: string, name: string, text: string): Promise<void> {
  const bytes = await readFile(path).catch(unreadable(path))
  const archive = await readArchive(bytes, {}, new AbortController().signal)
  const invalid = (reason: string, hint: string): Error => backplaneErrors.error('BACKPLANE_FILE_INVALID', { path, reason, hint })
  if (archive.format !== 'tar.gz') throw invalid('it is a zip', 'Sign the folder, then pack it; or pack it as a .tgz.')
  const manifest = archive.files.find(({ path: file }) => /^(?:[^/]+\/)?plugin\.json$/.test(file))
  if (manifest === undefined) throw invalid('there is no plugin.json in it', 'Pack the folder that holds plugin.json.')
  const file = manifest.path.replace(/plugin\.json$/, name)
  if (archive.files.some((one) => one.path === file))
    throw invalid('it is signed with this key already', 'Pack it anew to sign it again.')
  const tar = gunzipSync(bytes, { maxOutputLength: mostBytes })
  const signed = gzipSync(
    Buffer.concat([
      tar.subarray(0, endOfEntries(tar)),
      tarEntry({ path: file, bytes: Buffer.from(text), executable: false }),
      Buffer.alloc(2 * blockBytes),
    ]),
  )
  const aside = `${path}.${randomUUID()}`
  try {
    await writeFile(aside, signed, { flag: 'wx' })
    await rename(aside, path)
  } catch (error) {
    return unwritable(path)(error)
  } finally {
    await rm(aside, { force: true })
  }
}

/** Where the blocks of zeros begin that a tar ends in. */
function endOfEntries(tar: Uint8Array): number {
  let at = 0
  while (at + blockBytes <= tar.length && tar[at] !== 0) {
    const size = Number.parseInt(
      Buffer.from(tar.subarray(at + 124, at + 136))
        .toString('latin1')
        .replaceAll('\0', ' ')
        .trim() || '0',
      8,
    )
    at += blockBytes + Math.ceil(size / blockBytes) * blockBytes
  }
  return Math.min(at, tar.length)
}
