import { basename, extname } from 'node:path'

/** Names that say nothing of what a file does. */
const emptyNames = /^(?:utils?|helpers?|common|misc|types|constants|base|impl)$|-(?:manager|service|impl|utils?|helpers?)$/
const kebabCase = /^[a-z0-9]+(?:-[a-z0-9]+)*(?:\.(?:test|types|suite|d))?$/

/** More lines than this and a file does two things. */
const mostLines = 400

/** Everything wrong with a file's name, length or text; `path` is relative to the repository. */
export function fileProblems(path: string, text: string, forbidden: readonly string[]): readonly string[] {
  return [...nameProblems(path), ...lengthProblems(path, text), ...textProblems(path, text, forbidden)]
}

function nameProblems(path: string): readonly string[] {
  if (extname(path) !== '.ts' || path.endsWith('.d.ts')) return []
  const name = basename(path, '.ts')
  const parts = [name.replace(/\.\w+$/, ''), ...path.split('/').slice(0, -1)]
  const empty = parts.filter((part) => emptyNames.test(part)).map((part) => `${path}: "${part}" does not say what it does`)
  return kebabCase.test(name) ? empty : [...empty, `${path}: file names are kebab-case`]
}

function lengthProblems(path: string, text: string): readonly string[] {
  if (extname(path) !== '.ts' || /(?:^|\/)(?:generated|api)\//.test(path)) return []
  const lines = text.split('\n').length - 1
  return lines > mostLines ? [`${path}: ${lines} lines; ${mostLines} are the most`] : []
}

function textProblems(path: string, text: string, forbidden: readonly string[]): readonly string[] {
  if (path === 'package-lock.json') return []
  const lines = text.split('\n')
  return forbidden.flatMap((word) => {
    const at = lines.findIndex((line) => line.includes(word))
    return at === -1 ? [] : [`${path}:${at + 1}: names ${word}, which belongs to one machine`]
  })
}
