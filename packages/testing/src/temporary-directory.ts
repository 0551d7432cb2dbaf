import { chmod, lstat, mkdtemp, readdir, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { TestContext } from 'node:test'

/** A fresh directory of the test's own, absolute; removed after the test, read-only parts included. */
export async function temporaryDirectory(t: TestContext): Promise<string> {
  const path = await mkdtemp(join(tmpdir(), 'backplane-'))
  t.after(() => removeReadOnly(path))
  return path
}

/** `rm` alone stops at a folder that may not be written to, such as an entry of a package store. */
async function removeReadOnly(path: string): Promise<void> {
  const stats = await lstat(path).catch(() => undefined)
  if (stats?.isDirectory() === true) {
    await chmod(path, 0o700)
    const entries = await readdir(path, { withFileTypes: true })
    const folders = entries.filter((entry) => entry.isDirectory())
    await Promise.all(folders.map((folder) => removeReadOnly(join(path, folder.name))))
  }
  await rm(path, { recursive: true, force: true })
}
