import { findProgram } from '../machine/find-program.ts'
import type { Making } from '../changes/step.ts'
import { exliarErrors } from '../errors.ts'
import { readConfig, readDropIns, type ConfigFile, type TreeReader } from '../text/config-file.ts'
import { missingStretch } from '../text/mapped-text.ts'
import { effective, readAssignments, refuseAssignment, type Assignment } from '../text/shell-file.ts'
import type { BootSetup } from './boot-setup.ts'
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
  const files = [main, ...readDropIns(tree, `${settings}.d`, '.cfg')]
  const names = [everyEntry, usualEntries, 'GRUB_ENABLE_BLSCFG']
  const assignments = files.flatMap((file) => readAssignments(file, names))
  const line = grubLine(main, assignments)
  const entries = hasOwnEntries(assignments) ? readLoaderEntries(tree) : []
  return { bootloader: 'grub', lines: [line, ...entries], makings: [grubMaking(tree)], notes: [] }
}

function grubLine(main: ConfigFile, assignments: readonly Assignment[]): KernelLine {
  const every = effective(assignments, everyEntry).map(partOf)
  const usual = effective(assignments, usualEntries).map(partOf)
  const target = usual[0] ?? every[0]
  if (target !== undefined) return { parts: [...every, ...usual], target }
  const before = `${main.text === '' || main.text.endsWith('\n') ? '' : '\n'}${usualEntries}="`
  const added = { file: main, value: missingStretch(main.text.length, before, '"\n') }
  return { parts: [added], target: added }
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

/** Its own configuration is made by a program that is named differently everywhere. */
function grubMaking(tree: TreeReader): Making {
  const made = ['/boot/grub/grub.cfg', '/boot/grub2/grub.cfg']
  const output = made.find((path) => tree.has(path)) ?? (findProgram(tree, 'grub2-mkconfig') === undefined ? made[0] : made[1])
  const generates = [output ?? '']
  if (findProgram(tree, 'update-grub') !== undefined) return { program: 'update-grub', args: [], generates }
  const program = findProgram(tree, 'grub2-mkconfig') === undefined ? 'grub-mkconfig' : 'grub2-mkconfig'
  return { program, args: ['-o', ...generates], generates }
}
