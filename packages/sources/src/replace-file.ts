import { mkdir, open, readdir, rename, rm } from 'node:fs/promises'
import { basename, dirname, join } from 'node:path'
import { isLeftover, stagingName } from './staging-name.ts'
import { syncFolder } from './write-tree.ts'

/** Puts a text or bytes in the place of a file's, mode 0644: on the disk when the promise settles, a kill leaves the old or the new. */
export async function replaceFile(file: string, text: string | Uint8Array): Promise<void> {
  using unique = stagingName()
  const staging = `${file}${unique.name}`
  try {
    await mkdir(dirname(file), { recursive: true })
    await removeLeftovers(file)
    await writeDurably(staging, text)
    await rename(staging, file)
    await syncFolder(dirname(file))
  } catch (error) {
    await rm(staging, { force: true })
    throw error
  }
}

/** What a kill left of the file being written. */
async function removeLeftovers(file: string): Promise<void> {
  const name = basename(file)
  const names = await readdir(dirname(file))
  const left = names.filter((each) => each.startsWith(name) && isLeftover(each.slice(name.length)))
  await Promise.all(left.map((each) => rm(join(dirname(file), each), { force: true })))
}

async function writeDurably(path: string, text: string | Uint8Array): Promise<void> {
  await using file = await open(path, 'wx', 0o644)
  await file.writeFile(text)
  await file.sync()
}
