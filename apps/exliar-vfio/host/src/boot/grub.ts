import { findProgram } from '../machine/find-program.ts'
import type { Making } from '../changes/step.ts'
import { exliarErrors } from '../errors.ts'
import { readConfig, readDropIns, type ConfigFile, type TreeReader } from '../text/config-file.ts'
import { missingStretch } from '../text/mapped-text.ts'
import { appendedLine, effective, effectiveText, readAssignments, refuseAssignment, type Assignment } from '../text/shell-file.ts'
import type { BootSetup } from './boot-setup.ts'
import { readCommandLineFile } from './command-line-file.ts'
import type { KernelLine, LinePart } from './kernel-line.ts'
import { readLoaderEntries } from './loader-entries.ts'

const settings = '/etc/default/grub'
/** The kernel gets them in this order; the second is left out for recovery entries. */
const everyEntry = 'GRUB_CMDLINE_LINUX'
const usualEntries = 'GRUB_CMDLINE_LINUX_DEFAULT'

/** GRUB. Source: its manual, "Simple configuration"; Debian's and Ubuntu's `/etc/default/grub.d`. */
export function readGrub(tree: TreeReader): BootSetup {
  const main = readConfig(tree, settings)
  if (main === undefined) throw exliarErrors.error('CONFIG_MISSING', { path: settings, reason: 'GRUB is here', owner: 'GRUB' })
  const files = [main, ...(readsDropIns(tree) ? readDropIns(tree, `${settings}.d`, '.cfg') : [])]
  const names = [everyEntry, usualEntries, 'GRUB_ENABLE_BLSCFG']
  const assignments = files.flatMap((file) => readAssignments(file, names))
  refuseAppending(tree, assignments)
  const line = grubLine(main, assignments)
  const entries = hasOwnEntries(assignments) ? [...readLoaderEntries(tree), ...lineOfNewEntries(tree)] : []
  return { bootloader: 'grub', lines: [line, ...entries], makings: [grubMaking(tree)], notes: [] }
}

function grubLine(main: ConfigFile, assignments: readonly Assignment[]): KernelLine {
  const every = effectiveText(assignments, everyEntry).map(partOf)
  const usual = effectiveText(assignments, usualEntries).map(partOf)
  const target = usual[0] ?? every[0]
  if (target !== undefined) return { parts: [...every, ...usual], target }
  const { at, gap } = appendedLine(main, usualEntries)
  const added = { file: main, value: missingStretch(at, `${gap}${usualEntries}="`, '"\n') }
  return { parts: [added], target: added }
}

/** GRUB's programs are run by `sh`, which is a shell that knows `+=` only on some systems. */
function refuseAppending(tree: TreeReader, assignments: readonly Assignment[]): void {
  const appending = assignments.find(({ appends }) => appends)
  const shell = tree.realPath('/bin/sh')
  if (appending === undefined || shell === undefined || shell.endsWith('/bash')) return
  throw refuseAssignment(appending, `${shell} reads this file, and it knows no "+="`)
}

function partOf(assignment: Assignment): LinePart {
  const { value, file } = assignment
  if (value.kind === 'array') throw refuseAssignment(assignment, `${assignment.name} is a list, which GRUB does not read`)
  return { file, value: value.text }
}

/** Fedora's GRUB reads the line of each installed kernel from an entry of its own. Source: the Boot Loader Specification. */
function hasOwnEntries(assignments: readonly Assignment[]): boolean {
  const last = effective(assignments, 'GRUB_ENABLE_BLSCFG').at(-1)?.value
  return last?.kind === 'word' && last.text.text === 'true'
}

/** Where it is missing, new entries get the line that the running kernel has. */
function lineOfNewEntries(tree: TreeReader): readonly KernelLine[] {
  return [readCommandLineFile(tree)].filter((line) => line !== undefined)
}

/** Only some distributions' GRUB heeds the directory; its program says so. */
function readsDropIns(tree: TreeReader): boolean {
  const program = findProgram(tree, 'grub-mkconfig') ?? findProgram(tree, 'grub2-mkconfig')
  const script = program === undefined ? undefined : readConfig(tree, program)?.text
  return script === undefined || !script.includes('/default/grub') || script.includes('/default/grub.d')
}

/** Its own configuration is made by a program that is named differently everywhere. */
function grubMaking(tree: TreeReader): Making {
  const made = ['/boot/grub/grub.cfg', '/boot/grub2/grub.cfg']
  const output = made.find((path) => tree.has(path)) ?? (findProgram(tree, 'grub2-mkconfig') === undefined ? made[0] : made[1])
  const generates = [output ?? '']
  if (findProgram(tree, 'update-grub') !== undefined) return { program: 'update-grub', args: [], generates }
  const program = findProgram(tree, 'grub2-mkconfig') === undefined ? 'grub-mkconfig' : 'grub2-mkconfig'
  return { program, args: ['-o', ...generates], generates }
}
