import { exliarErrors } from '../errors.ts'
import { readConfig, readDropIns, type ConfigFile, type FileEdit, type TreeReader } from '../text/config-file.ts'
import { applySplices, type Splice } from '../text/splice.ts'
import { appendedLine, effective, readAssignments, refuseAssignment, type Assignment } from '../text/shell-file.ts'
import type { EarlyNeeds, InitramfsEdit } from './edit-initramfs.ts'
import { isLoadedEarly, moduleName, withEarly } from './early-modules.ts'

const settings = '/etc/mkinitcpio.conf'

/** mkinitcpio: `MODULES` and `FILES` of its configuration or of the drop-in that has the last word. Source: mkinitcpio.conf(5). */
export function editMkinitcpio(tree: TreeReader, needs: EarlyNeeds): InitramfsEdit {
  const main = readConfig(tree, settings)
  if (main === undefined)
    throw exliarErrors.error('CONFIG_MISSING', { path: settings, reason: 'mkinitcpio is here', owner: 'mkinitcpio' })
  const files = [main, ...readDropIns(tree, `${settings}.d`, '.conf')]
  const assignments = files.flatMap((file) => readAssignments(file, ['MODULES', 'FILES', 'HOOKS']))
  refuseOtherSettings(tree, files)
  for (const name of ['MODULES', 'FILES']) refuseMixed(assignments, name)
  const modules = elementsOf(effective(assignments, 'MODULES'))
  const brought = elementsOf(effective(assignments, 'FILES'))
  const names = modules.map(({ text }) => text)
  const edits = [
    ...(isLoadedEarly(names, needs.modules) ? [] : editModules({ main, assignments, modules, wanted: needs.modules })),
    ...editFiles({ main, assignments, brought, wanted: needs.files }),
  ]
  return {
    files: filesOf(files, edits),
    modules: isLoadedEarly(names, needs.modules) ? names : withEarly(names, needs.modules),
    makings: [
      {
        program: 'mkinitcpio',
        args: ['-P'],
        generates: ['/boot/initramfs-*.img', '/boot/EFI/Linux/*.efi', '/efi/EFI/Linux/*.efi'],
      },
    ],
    notes: notesOn(
      elementsOf(effective(assignments, 'HOOKS')).map(({ text }) => text),
      needs,
    ),
  }
}

/** A text that is assigned to what is a list already is its first element only, and the other way round. */
function refuseMixed(assignments: readonly Assignment[], name: string): void {
  const own = assignments.filter((assignment) => assignment.name === name)
  const other = own.find(({ value }) => value.kind !== own[0]?.value.kind)
  if (other !== undefined) throw refuseAssignment(other, `${name} is text in one place and a list in another`)
}

/** A preset may name the file that counts for it; the others are not read then. Source: mkinitcpio(8), "-c". */
function refuseOtherSettings(tree: TreeReader, files: readonly ConfigFile[]): void {
  for (const preset of readDropIns(tree, '/etc/mkinitcpio.d', '.preset')) {
    for (const match of preset.text.matchAll(/^[ \t]*\w+_config=(["']?)([^"'\s#;]*)\1/gm)) {
      if (match[2] === settings && files.length === 1) continue
      const reason = match[2] === settings ? `with it nothing in ${settings}.d is read` : `it is made from ${match[2]}`
      throw refuseAssignment({ file: preset, start: match.index }, reason)
    }
    const options = /^[ \t]*\w+_options=[^\n]*(?<=[\s"'(])(?:-c|--config)(?=[\s"'=])/m.exec(preset.text)
    if (options !== null) throw refuseAssignment({ file: preset, start: options.index }, 'its options name other settings')
  }
}

interface Edit {
  readonly file: ConfigFile
  /** A line of its own, behind all that is there. */
  readonly isLine?: boolean
  readonly splice: Splice
}

interface Element {
  readonly file: ConfigFile
  readonly text: string
  readonly start: number
  readonly end: number
}

function elementsOf(assignments: readonly Assignment[]): readonly Element[] {
  return assignments.flatMap((assignment): readonly Element[] => {
    const { value, file } = assignment
    if (value.kind === 'array') return value.elements.map((element) => ({ file, ...element }))
    if (value.text.text.trim() === '') return []
    throw refuseAssignment(assignment, `${assignment.name} is text; write it as a list in parentheses`)
  })
}

interface ModulesEdit {
  readonly main: ConfigFile
  readonly assignments: readonly Assignment[]
  readonly modules: readonly Element[]
  readonly wanted: readonly string[]
}

/** What is wanted goes to the front; where some of it stood further behind, it leaves that place. */
function editModules({ main, assignments, modules, wanted }: ModulesEdit): readonly Edit[] {
  const names = new Set(wanted.map(moduleName))
  const moved = modules.filter(({ text }) => names.has(moduleName(text)))
  const cuts = moved.map(({ file, start, end }) => ({ file, splice: { start, end: end + gapAfter(file, end), text: '' } }))
  const [base] = effective(assignments, 'MODULES')
  if (base === undefined) return [...cuts, newLine(main, 'MODULES', wanted)]
  const { at, isEmpty } = frontOf(base)
  return [...cuts, { file: base.file, splice: { start: at, end: at, text: textAt(base, wanted.join(' '), isEmpty ? '' : ' ') } }]
}

interface FilesEdit {
  readonly main: ConfigFile
  readonly assignments: readonly Assignment[]
  readonly brought: readonly Element[]
  readonly wanted: readonly string[]
}

function editFiles({ main, assignments, brought, wanted }: FilesEdit): readonly Edit[] {
  const missing = wanted.filter((path) => !brought.some(({ text }) => text === path))
  if (missing.length === 0) return []
  const base = effective(assignments, 'FILES').at(-1)
  if (base === undefined) return [newLine(main, 'FILES', missing)]
  const { at, isEmpty } = frontOf(base)
  return [{ file: base.file, splice: { start: at, end: at, text: textAt(base, missing.join(' '), isEmpty ? '' : ' ') } }]
}

function frontOf({ value, start }: Assignment): { at: number; isEmpty: boolean } {
  if (value.kind === 'array') return { at: value.elements[0]?.start ?? value.open, isEmpty: value.elements.length === 0 }
  return { at: value.text.origin.at ?? start, isEmpty: true }
}

/** An empty text takes no list: `MODULES=""` becomes `MODULES="a b"`, which older versions read and newer ones split. */
function textAt({ value }: Assignment, text: string, gap: string): string {
  return value.kind === 'word' && value.text.origin.quoting === 'own-quotes' ? `(${text})` : `${text}${gap}`
}

/** Blanks behind an element that leaves, so that no gap is left; a line that ends there stays. */
function gapAfter({ text }: ConfigFile, end: number): number {
  return /^[ \t]*/.exec(text.slice(end))?.[0].length ?? 0
}

function newLine(file: ConfigFile, name: string, values: readonly string[]): Edit {
  const { at, gap } = appendedLine(file, name)
  return { file, isLine: true, splice: { start: at, end: at, text: `${gap}${name}=(${values.join(' ')})\n` } }
}

function filesOf(files: readonly ConfigFile[], edits: readonly Edit[]): readonly FileEdit[] {
  return files.flatMap((file) => {
    const all = edits.filter((edit) => edit.file === file)
    const lines = all.filter(({ isLine }) => isLine).map(({ splice }, index) => (index === 0 ? splice : withoutGap(splice)))
    const own = [...all.filter(({ isLine }) => isLine !== true).map(({ splice }) => splice), ...lines]
    return own.length === 0 ? [] : [{ path: file.path, before: file.text, text: applySplices(file.text, own) }]
  })
}

/** The line before it has ended the last one of the file. */
function withoutGap(splice: Splice): Splice {
  return { ...splice, text: splice.text.replace(/^\n/, '') }
}

function notesOn(hooks: readonly string[], { files }: EarlyNeeds): readonly string[] {
  const notes: string[] = []
  if (!hooks.includes('modconf')) {
    notes.push('HOOKS of mkinitcpio has no modconf: without it what modprobe is told does not count in the initial file system.')
  }
  if (files.some((path) => path.endsWith('.sh')) && hooks.includes('systemd') && !hooks.includes('base')) {
    notes.push('HOOKS of mkinitcpio has no base: without a shell in the initial file system the override is set only later.')
  }
  return notes
}
