import { dirname, join, resolve } from 'node:path'
import { PlatformError } from '@backplane/sdk'
import { makePrivateFolder } from '../private-folder.ts'
import { stagingName } from '../staging-name.ts'
import { removeTree, syncFolder } from '../write-tree.ts'
import { archiveTree, type ArchiveTree } from './archive-tree.ts'
import { archiveErrors } from './errors.ts'
import type { Archive } from './read-archive.ts'
import { StagedWriter } from './staged-writer.ts'
import { unpackParts, type UnpackOptions } from './unpack-parts.ts'

/** The files of an archive on the disk, but for hidden ones. Disposing removes them, unless they were moved away; idempotent. */
export interface StagedArchive extends AsyncDisposable, ArchiveTree {
  /** Absolute, 0700; its folders are 0755 and its files 0644 or 0755. Nobody else writes there. */
  readonly directory: string
}

/**
 * Writes an archive into a new folder in `parent`, which belongs to the host alone and is made when it is missing (0700). When
 * the promise settles everything is on the disk, or nothing is there and nothing is being written; what a killed process
 * left is removed by `removeLeftovers(parent)`, and by the package store when `parent` is its directory. Errors:
 * `ARCHIVE_NO_TOP_FOLDER`, `ARCHIVE_CHANGED`, `ARCHIVE_STAGING_FAILED`, `SOURCE_STORE_UNSAFE`.
 */
export async function stageArchive(archive: Archive, parent: string, options: UnpackOptions): Promise<StagedArchive> {
  const { topFolder = 'keep', signal } = options
  signal.throwIfAborted()
  const tree = archiveTree(archive, topFolder)
  const unique = stagingName()
  const directory = join(resolve(parent), unique.name)
  const remove = async (): Promise<void> => {
    await removeTree(directory)
    unique[Symbol.dispose]()
  }
  try {
    await makePrivateFolder(resolve(parent))
    await write(archive, directory, options)
    return { ...tree, directory, [Symbol.asyncDispose]: remove }
  } catch (error) {
    await remove().catch(() => {})
    if (error instanceof PlatformError || signal.aborted) throw error
    const reason = error instanceof Error ? error.message : String(error)
    throw archiveErrors.error('ARCHIVE_STAGING_FAILED', { path: parent, reason }, { cause: error })
  }
}

/** One writer, one step at a time: when a step fails no other is under way. */
async function write(archive: Archive, directory: string, options: UnpackOptions): Promise<void> {
  await using writer = new StagedWriter(directory)
  await writer.open()
  for await (const part of unpackParts(archive, options)) await writer.write(part)
  await writer.finish(options.signal)
  await syncFolder(dirname(directory))
  options.signal.throwIfAborted()
}
