import { createHash, randomUUID } from 'node:crypto'
import { mkdir, readFile, rename, writeFile } from 'node:fs/promises'
import { getCompileCacheDir, stripTypeScriptTypes } from 'node:module'
import { join } from 'node:path'

/**
 * A TypeScript module as JavaScript. Only a repository run from its source comes here. Where Node keeps what it compiled
 * (`NODE_COMPILE_CACHE`), this is kept beside it: stripping the guest's files takes a fifth of a daemon's start.
 */
export async function withoutTypes(source: string): Promise<string> {
  const directory = getCompileCacheDir()
  if (directory === undefined) return stripped(source)
  const kept = join(directory, 'stripped')
  const file = join(kept, `${createHash('sha256').update(source).digest('hex')}.js`)
  const known = await readFile(file, 'utf8').catch(() => undefined)
  if (known !== undefined) return known
  const script = stripped(source)
  // A cache that cannot be written, or that somebody else writes as well, is no failure.
  const partial = `${file}.${randomUUID()}`
  await mkdir(kept, { recursive: true })
    .then(() => writeFile(partial, script))
    .then(() => rename(partial, file))
    .catch(() => undefined)
  return script
}

/** Whoever runs sources knows that Node calls stripping experimental. */
function stripped(source: string): string {
  const emitWarning = process.emitWarning.bind(process)
  process.emitWarning = () => undefined
  try {
    return stripTypeScriptTypes(source)
  } finally {
    process.emitWarning = emitWarning
  }
}
