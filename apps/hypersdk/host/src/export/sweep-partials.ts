import { readdir, unlink } from 'node:fs/promises'
import { join } from 'node:path'
import { partialSuffix } from './file-names.ts'

/**
 * Removes the unfinished files of one export from a directory and answers their paths. For exports that nobody will run
 * again; `runExport` sweeps for itself. Never touches another file, nor one of `kept`. Errors: `EXPORT_ID_INVALID`.
 */
export async function sweepPartials(
  directory: string,
  exportId: string,
  kept: ReadonlySet<string> = new Set(),
): Promise<readonly string[]> {
  const suffix = partialSuffix(exportId)
  const names = await readdir(directory).catch(() => [])
  const paths = names.filter((name) => name.endsWith(suffix) && !kept.has(name)).map((name) => join(directory, name))
  for (const path of paths) await unlink(path)
  return paths
}
