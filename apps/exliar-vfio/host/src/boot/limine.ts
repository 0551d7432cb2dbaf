import { exliarErrors } from '../errors.ts'
import { findProgram } from '../machine/find-program.ts'
import { readConfig, type ConfigFile, type TreeReader } from '../text/config-file.ts'
import { missingStretch, plainStretch } from '../text/mapped-text.ts'
import { effective, readAssignments, refuseAssignment } from '../text/shell-file.ts'
import type { BootSetup } from './boot-setup.ts'
import { readCommandLineFile } from './command-line-file.ts'
import { unclear, type KernelLine, type LinePart } from './kernel-line.ts'

const configs = [
  '/boot',
  '/boot/limine',
  '/boot/EFI/limine',
  '/boot/EFI/BOOT',
  '/efi',
  '/efi/limine',
  '/boot/efi',
  '/boot/efi/limine',
]
const settings = '/etc/default/limine'

/**
 * Limine. Where a program makes its entries, what that program reads is changed; else the entries themselves. Source:
 * Limine's CONFIG.md; limine-entry-tool.
 */
export function readLimine(tree: TreeReader): BootSetup {
  const config = configs.map((directory) => readConfig(tree, `${directory}/limine.conf`)).find((file) => file !== undefined)
  const generates = [config?.path ?? '/boot/limine.conf']
  const program = ['limine-update', 'limine-mkinitcpio'].find((name) => findProgram(tree, name) !== undefined)
  const from = program === undefined ? [] : linesOfSettings(tree)
  if (program !== undefined && from.length > 0) {
    return { bootloader: 'limine', lines: from, makings: [{ program, args: [], generates }], notes: [] }
  }
  if (config === undefined) {
    const reason = 'Limine is here, and neither its entries nor what makes them was found'
    throw exliarErrors.error('CONFIG_MISSING', { path: '/boot/limine.conf', reason, owner: 'Limine' })
  }
  return { bootloader: 'limine', lines: entriesOf(config), makings: [], notes: [] }
}

function linesOfSettings(tree: TreeReader): readonly KernelLine[] {
  const file = readConfig(tree, settings)
  const names = [...new Set(file?.text.match(/\bKERNEL_CMDLINE(?:\[[^\]\n]*\])?(?=\+?=)/g))]
  if (file === undefined || names.length === 0) return [readCommandLineFile(tree)].filter((line) => line !== undefined)
  const assignments = readAssignments(file, names)
  return names.flatMap((name) => {
    const parts = effective(assignments, name).map((assignment): LinePart => {
      const { value } = assignment
      if (value.kind === 'array') throw refuseAssignment(assignment, `${name} is a list`)
      return { file, value: value.text }
    })
    const [target] = parts
    return target === undefined ? [] : [{ parts, target }]
  })
}

/** Each entry that starts a Linux kernel. A line beginning with a slash begins an entry. */
function entriesOf(file: ConfigFile): readonly KernelLine[] {
  const starts = [...file.text.matchAll(/^[ \t]*\//gm)].map(({ index }) => index)
  return starts.flatMap((start, index) => {
    const end = starts[index + 1] ?? file.text.length
    const entry = file.text.slice(start, end)
    const protocol = /^([ \t]*)protocol[ \t]*:[ \t]*linux[ \t]*(?=\r?$)/im.exec(entry)
    const existing = /^([ \t]*(?:kernel_)?cmdline[ \t]*:[ \t]*)([^\r\n]*)/im.exec(entry)
    if (protocol === null) return []
    const part = { file, value: existing === null ? addedTo(protocol, start) : valueOf(file, existing, start) }
    const macro = part.value.text.indexOf('$')
    if (macro !== -1) throw unclear(part, macro, 'a part of the line is a macro')
    return [{ parts: [part], target: part }]
  })
}

function valueOf(file: ConfigFile, match: RegExpExecArray, offset: number): LinePart['value'] {
  const start = offset + match.index + (match[1] ?? '').length
  return plainStretch(file.text, start, start + (match[2] ?? '').length)
}

function addedTo(protocol: RegExpExecArray, offset: number): LinePart['value'] {
  return missingStretch(offset + protocol.index + protocol[0].length, `\n${protocol[1] ?? ''}cmdline: `, '')
}
