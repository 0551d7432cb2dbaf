import { applySplices, type Splice } from '../text/splice.ts'
import type { ConfigFile, FileEdit } from '../text/config-file.ts'
import type { BootSetup } from './boot-setup.ts'
import { editKernelLine, type LineChange, type LineEdit } from './kernel-line.ts'

/** Files that become others, and what happened to the lines in them. */
export interface BootEdit {
  /** Only files that change. */
  readonly files: readonly FileEdit[]
  /** Of all lines, each named once. */
  readonly added: readonly string[]
  readonly removed: readonly string[]
  readonly replaced: LineEdit['replaced']
}

/** Changes every line of a bootloader alike. Errors: those of `editKernelLine`. */
export function editBootSetup({ lines }: BootSetup, change: LineChange): BootEdit {
  const edits = lines.map((line) => editKernelLine(line, change))
  const byPath = new Map<string, { file: ConfigFile; splices: Splice[] }>()
  for (const { file, splice } of edits.flatMap(({ splices }) => splices)) {
    const known = byPath.get(file.path) ?? { file, splices: [] }
    known.splices.push(splice)
    byPath.set(file.path, known)
  }
  const files = [...byPath.values()].map(({ file, splices }) => ({
    path: file.path,
    before: file.text,
    text: applySplices(file.text, splices),
  }))
  const replaced = new Map(edits.flatMap((edit) => edit.replaced).map((entry) => [`${entry.from} ${entry.to}`, entry]))
  return {
    files,
    added: [...new Set(edits.flatMap(({ added }) => added))],
    removed: [...new Set(edits.flatMap(({ removed }) => removed))],
    replaced: [...replaced.values()],
  }
}
