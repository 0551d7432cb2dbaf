import { exliarErrors } from '../errors.ts'
import { readDropIns, type ConfigFile, type TreeReader } from '../text/config-file.ts'
import { missingStretch, plainStretch } from '../text/mapped-text.ts'
import { bootPartitions } from './boot-partitions.ts'
import type { KernelLine, LinePart } from './kernel-line.ts'
import { unclear } from './kernel-line.ts'

/** The line of every entry that starts a Linux kernel. Source: the Boot Loader Specification, "Type #1". */
export function readLoaderEntries(tree: TreeReader): readonly KernelLine[] {
  const seen = new Set<string>()
  return bootPartitions
    .flatMap((directory) => readDropIns(tree, `${directory}/loader/entries`, '.conf'))
    .filter(({ path, text }) => {
      const real = tree.realPath(path) ?? path
      const known = seen.has(real)
      seen.add(real)
      return !known && /^[ \t]*linux[ \t]/m.test(text)
    })
    .map(entryLine)
}

/** The entries of systemd-boot, of which there must be one. Errors: `CONFIG_MISSING`, `CONFIG_UNCLEAR`. */
export function requireLoaderEntries(tree: TreeReader): readonly KernelLine[] {
  const lines = readLoaderEntries(tree)
  if (lines.length > 0) return lines
  const reason = 'no entry of the bootloader starts a Linux kernel'
  throw exliarErrors.error('CONFIG_MISSING', { path: '/boot/loader/entries', reason, owner: 'systemd-boot' })
}

/**
 * An entry may have several `options` lines; together they are the kernel's line. TuneD's variable only adds to it; of any
 * other nobody knows what it says.
 */
function entryLine(file: ConfigFile): KernelLine {
  const parts: LinePart[] = []
  for (const match of file.text.matchAll(/^([ \t]*options[ \t]+)([^\r\n]*)/gm)) {
    const start = match.index + (match[1] ?? '').length
    const part = { file, value: plainStretch(file.text, start, start + (match[2] ?? '').length) }
    const variable = part.value.text.search(/\$(?!tuned_params(?!\S))/)
    if (variable !== -1) throw unclear(part, variable, 'a part of the line is kept in a variable of the bootloader')
    const quoted = part.value.text.search(/(?<!\S)"/)
    if (quoted !== -1)
      throw unclear(part, quoted, 'systemd-boot, which reads such entries, takes off quotation marks around a whole line')
    parts.push(part)
  }
  const last = parts.at(-1)
  if (last !== undefined) return { parts, target: last }
  const before = `${file.text.endsWith('\n') ? '' : '\n'}options `
  const added = { file, value: missingStretch(file.text.length, before, '\n') }
  return { parts: [added], target: added }
}
