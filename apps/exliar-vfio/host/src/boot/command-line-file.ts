import { exliarErrors } from '../errors.ts'
import { readConfig, type TreeReader } from '../text/config-file.ts'
import { plainStretch } from '../text/mapped-text.ts'
import type { KernelLine } from './kernel-line.ts'

/** The line from which entries and images of new kernels are made. Source: kernel-install(8). */
const commandLinePath = '/etc/kernel/cmdline'

/** Undefined when there is none. */
export function readCommandLineFile(tree: TreeReader): KernelLine | undefined {
  const file = readConfig(tree, commandLinePath)
  if (file === undefined) return undefined
  const parts = [...file.text.matchAll(/^(?![ \t]*#)[^\n]*/gm)]
    .filter(([text]) => text.trim() !== '')
    .map((match) => ({ file, value: plainStretch(file.text, match.index, match.index + match[0].length) }))
  const empty = { file, value: plainStretch(file.text, 0, 0) }
  return { parts: parts.length === 0 ? [empty] : parts, target: parts.at(-1) ?? empty }
}

/** As {@link readCommandLineFile}; without it nobody knows what the line should be. Errors: `CONFIG_MISSING`. */
export function requireCommandLineFile(tree: TreeReader): KernelLine {
  const line = readCommandLineFile(tree)
  if (line !== undefined) return line
  const reason = 'without it the line of a new image is whatever the running kernel had'
  throw exliarErrors.error('CONFIG_MISSING', { path: commandLinePath, reason, owner: 'kernel-install' })
}
