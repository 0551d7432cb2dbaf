import { constants } from 'node:fs'
import { type FileHandle, mkdir, open, readdir, readlink, symlink } from 'node:fs/promises'
import { join } from 'node:path'

const bufferBytes = 1024 ** 2

/**
 * Copies a directory that a plugin may be writing to, and puts the copy on the disk. Nothing outside is ever read: folders
 * are held open and their entries opened through them without following links; a link is copied as the link it is. What is
 * neither file, folder nor link is left out. A directory that is not there is an empty one.
 */
export async function copyDirectory(from: string, to: string): Promise<void> {
  await mkdir(to, { recursive: true, mode: 0o700 })
  const folder = await openFolder(from)
  if (folder === undefined) return
  try {
    await copyEntries(folder, from, to)
  } finally {
    await folder.close()
  }
}

async function copyEntries(folder: FileHandle, from: string, to: string): Promise<void> {
  const held = process.platform === 'linux' ? `/proc/self/fd/${folder.fd}` : from
  for (const entry of await readdir(held, { withFileTypes: true })) {
    const [source, target] = [join(held, entry.name), join(to, entry.name)]
    if (entry.isDirectory()) await copyDirectory(source, target)
    else if (entry.isSymbolicLink()) await symlink(await readlink(source), target)
    else if (entry.isFile()) await copyFile(source, target)
  }
  await using copy = await open(to, constants.O_RDONLY | constants.O_DIRECTORY)
  await copy.sync()
}

async function copyFile(from: string, to: string): Promise<void> {
  await using source = await open(from, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK)
  const stats = await source.stat()
  if (!stats.isFile()) return
  await using target = await open(to, 'wx', stats.mode & 0o777)
  const buffer = Buffer.allocUnsafe(Math.min(bufferBytes, Math.max(1, stats.size)))
  for (;;) {
    const { bytesRead } = await source.read(buffer, 0, buffer.length, null)
    if (bytesRead === 0) break
    await target.writeFile(buffer.subarray(0, bytesRead))
  }
  await target.utimes(stats.atime, stats.mtime)
  await target.sync()
}

async function openFolder(path: string): Promise<FileHandle | undefined> {
  try {
    return await open(path, constants.O_RDONLY | constants.O_DIRECTORY | constants.O_NOFOLLOW)
  } catch (error) {
    if (error instanceof Error && Reflect.get(error, 'code') === 'ENOENT') return undefined
    throw error
  }
}
