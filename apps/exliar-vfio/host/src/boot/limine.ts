import type { Making } from '../changes/step.ts'
import { exliarErrors } from '../errors.ts'
import { findProgram } from '../machine/find-program.ts'
import { readConfig, readDropIns, type ConfigFile, type TreeReader } from '../text/config-file.ts'
import { missingStretch, plainStretch } from '../text/mapped-text.ts'
import { effective, readAssignments, refuseAssignment } from '../text/shell-file.ts'
import { unclearAt } from '../text/unclear-at.ts'
import type { BootSetup } from './boot-setup.ts'
import { readCommandLineFile } from './command-line-file.ts'
import { unclear, type KernelLine, type LinePart } from './kernel-line.ts'
import { refuseEnrolled, limineConfigs, limineEntryImages, limineImages } from './limine-files.ts'

/** What its program reads; the last has the last word. */
const settings = '/etc/default/limine'
const before = '/etc/limine-entry-tool'

/**
 * Limine. Where a program makes its entries, what that program reads is changed; else the entries themselves. Source:
 * Limine's CONFIG.md; limine-entry-tool.
 */
export function readLimine(tree: TreeReader): BootSetup {
  const making = limineMaking(tree)
  const from = making === undefined ? [] : linesOfSettings(tree)
  if (making !== undefined && from.length > 0) return { bootloader: 'limine', lines: from, makings: [making], notes: [] }
  const [config, other] = limineConfigs(tree)
  if (config === undefined) {
    const reason = 'Limine is here, and neither its entries nor what makes them was found'
    throw exliarErrors.error('CONFIG_MISSING', { path: '/boot/limine.conf', reason, owner: 'Limine' })
  }
  if (other !== undefined) throw unclearAt(other, 0, `${config.path} is there too, and nobody knows which one Limine reads`)
  refuseEnrolled(tree, config)
  return { bootloader: 'limine', lines: entriesOf(config), makings: [], notes: [] }
}

/**
 * What must run when an initial file system was made anew: its program brings the image to where Limine reads it, and writes
 * its hash. Errors: `CONFIG_UNCLEAR` where the hash of an image is written and there is no program: Limine would not start it.
 */
export function limineAfterImages(tree: TreeReader): readonly Making[] {
  const making = limineMaking(tree)
  if (making !== undefined) return [making]
  for (const config of limineConfigs(tree)) {
    const hashed = /^[ \t]*(?:module_path|path)[ \t]*:[^\n]*#[\da-f]{128}\b/im.exec(config.text)
    if (hashed !== null)
      throw unclearAt(config, hashed.index, 'the hash of the image is written here, and making it anew changes it')
  }
  return []
}

/** It copies images to where Limine reads them, and writes their hashes, and that of its entries into Limine's own program. */
function limineMaking(tree: TreeReader): Making | undefined {
  const program = ['limine-update', 'limine-mkinitcpio'].find((name) => findProgram(tree, name) !== undefined)
  if (program === undefined) return undefined
  const configs = limineConfigs(tree)
  const paths = configs.length === 0 ? ['/boot/limine.conf'] : configs.map(({ path }) => path)
  return { program, args: [], generates: [...paths, ...limineImages(tree), ...limineEntryImages(configs)] }
}

function linesOfSettings(tree: TreeReader): readonly KernelLine[] {
  const files = [readConfig(tree, `${before}.conf`), ...readDropIns(tree, `${before}.d`, '.conf'), readConfig(tree, settings)]
  const present = files.filter((file) => file !== undefined)
  const names = [...new Set(present.flatMap(({ text }) => text.match(/\bKERNEL_CMDLINE(?:\[[^\]\n]*\])?(?=\+?=)/g) ?? []))]
  const assignments = present.flatMap((file) => readAssignments(file, names))
  const lines = names.flatMap((name) => {
    const parts = effective(assignments, name).map((assignment): LinePart => {
      const { value, file } = assignment
      if (value.kind === 'array') throw refuseAssignment(assignment, `${name} is a list`)
      return { file, value: value.text }
    })
    const [target] = parts
    return target === undefined ? [] : [{ parts, target }]
  })
  return lines.length > 0 ? lines : [readCommandLineFile(tree)].filter((line) => line !== undefined)
}

/** Each entry that starts a Linux kernel. A line beginning with a slash begins an entry. */
function entriesOf(file: ConfigFile): readonly KernelLine[] {
  const starts = [...file.text.matchAll(/^[ \t]*\//gm)].map(({ index }) => index)
  return starts.flatMap((start, index) => {
    const end = starts[index + 1] ?? file.text.length
    const entry = file.text.slice(start, end)
    const protocol = /^([ \t]*)protocol[ \t]*:[ \t]*linux[ \t]*(?=\r?$)/im.exec(entry)
    const [existing, second] = entry.matchAll(/^([ \t]*(?:kernel_)?cmdline[ \t]*:[ \t]*)([^\r\n]*)/gim)
    if (protocol === null) return []
    if (second !== undefined) throw unclearAt(file, start + second.index, 'the entry has another line before it')
    const part = { file, value: existing === undefined ? addedTo(protocol, start) : valueOf(file, existing, start) }
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
