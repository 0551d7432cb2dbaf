import { exliarErrors } from '../errors.ts'
import { readConfig, type TreeReader } from '../text/config-file.ts'
import { missingStretch, plainStretch } from '../text/mapped-text.ts'
import { unclear, type KernelLine } from './kernel-line.ts'

/** The line from which entries and images of new kernels are made. Source: kernel-install(8). */
const commandLinePath = '/etc/kernel/cmdline'

/** Undefined when there is none. */
export function readCommandLineFile(tree: TreeReader): KernelLine | undefined {
  const file = readConfig(tree, commandLinePath)
  if (file === undefined) return undefined
  const parts = [...file.text.matchAll(/^(?![ \t]*#)[^\n]*/gm)]
    .filter(([text]) => text.trim() !== '')
    .map((match) => ({ file, value: plainStretch(file.text, match.index, match.index + match[0].length) }))
  for (const part of parts) {
    const mark = part.value.text.search(/\s#/)
    if (mark !== -1) throw unclear(part, mark, 'what begins with # is a comment to some programs and a parameter to others')
  }
  const gap = file.text === '' || file.text.endsWith('\n') ? '' : '\n'
  const empty = { file, value: missingStretch(file.text.length, gap, '\n') }
  return { parts: parts.length === 0 ? [empty] : parts, target: parts.at(-1) ?? empty }
}

/** As {@link readCommandLineFile}; without it nobody knows what the line should be. Errors: `CONFIG_MISSING`. */
export function requireCommandLineFile(tree: TreeReader): KernelLine {
  const line = readCommandLineFile(tree)
  if (line !== undefined) return line
  const reason = 'without it the line of a new image is whatever the running kernel had'
  throw exliarErrors.error('CONFIG_MISSING', { path: commandLinePath, reason, owner: 'kernel-install' })
}
