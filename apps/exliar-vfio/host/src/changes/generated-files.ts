import { statSync } from 'node:fs'
import { z } from 'zod'
import type { MachineTree } from '../machine/machine-tree.ts'
import { FileMark, markOf } from './file-marks.ts'

/** Larger files are made anew by the program that made them. */
const keptBytes = 1024 * 1024

/** A file that a program made: kept whole, or too large for that and only known by size and time. */
export const Generated = z.discriminatedUnion('kind', [
  z.object({ kind: z.literal('kept'), path: z.string(), file: FileMark }),
  z.object({ kind: z.literal('image'), path: z.string(), sizeBytes: z.int(), modifiedMs: z.number() }),
])
export type Generated = z.output<typeof Generated>

/** Those that are there, by path; a `*` stands for any characters but `/`. */
export function generatedFiles(tree: MachineTree, patterns: readonly string[]): readonly Generated[] {
  const paths = [...new Set(patterns.flatMap((pattern) => matching(tree, pattern)))].sort()
  return paths.flatMap((path): readonly Generated[] => {
    const stat = tree.stat(path)
    if (stat?.kind !== 'file') return []
    if (stat.sizeBytes > keptBytes) {
      return [{ kind: 'image', path, sizeBytes: stat.sizeBytes, modifiedMs: statSync(tree.hostPath(path)).mtimeMs }]
    }
    const file = markOf(tree, path)
    return file === undefined ? [] : [{ kind: 'kept', path, file }]
  })
}

/** What tells it from what another run would have made; null: it is not there. */
export function identityOf(file: Generated | undefined): string | null {
  if (file === undefined) return null
  return file.kind === 'kept' ? file.file.sha256 : `${file.sizeBytes} ${file.modifiedMs}`
}

/** When it was written, ms since 1970; long ago where it is not there. */
export function writtenMs(file: Generated | undefined): number {
  if (file === undefined) return Number.NEGATIVE_INFINITY
  return file.kind === 'kept' ? file.file.modifiedMs : file.modifiedMs
}

function matching(tree: MachineTree, pattern: string): readonly string[] {
  const [, ...names] = pattern.split('/')
  let found: readonly string[] = ['']
  for (const name of names) {
    if (!name.includes('*')) {
      found = found.map((path) => `${path}/${name}`)
      continue
    }
    const wanted = new RegExp(`^${name.replaceAll(/[.+?^${}()|[\]\\]/g, '\\$&').replaceAll('*', '[^/]*')}$`)
    found = found.flatMap((path) =>
      tree
        .names(path === '' ? '/' : path)
        .filter((entry) => wanted.test(entry))
        .map((entry) => `${path}/${entry}`),
    )
  }
  return found.filter((path) => tree.has(path))
}
