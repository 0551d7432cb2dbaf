import { readConfig, type FileEdit, type TreeReader } from '../text/config-file.ts'
import { applySplices, type Splice } from '../text/splice.ts'
import { writtenBy } from '../text/written-by.ts'
import type { EarlyNeeds, InitramfsEdit } from './edit-initramfs.ts'
import { isGraphicsDriver, isLoadedEarly, moduleName, withEarly } from './early-modules.ts'

const list = '/etc/initramfs-tools/modules'
const hook = '/etc/initramfs-tools/hooks/exliar-vfio'

/** Debian's initramfs-tools: its list of modules, and a hook where files are to be brought along. Source: initramfs-tools(7). */
export function editInitramfsTools(tree: TreeReader, needs: EarlyNeeds): InitramfsEdit {
  const before = readConfig(tree, list)?.text
  const lines = linesOf(before ?? '')
  const names = lines.map(({ name }) => name)
  const early = isLoadedEarly(names, needs.modules)
  const edits: FileEdit[] = early ? [] : [{ path: list, before, text: editList(before ?? '', lines, needs.modules) }]
  // What modprobe is told is brought along by itself.
  const brought = needs.files.filter((path) => !path.startsWith('/etc/modprobe.d/'))
  const text = hookText(brought)
  const hookBefore = readConfig(tree, hook)?.text
  if (brought.length > 0 && hookBefore !== text) edits.push({ path: hook, before: hookBefore, text, mode: 0o755 })
  return {
    files: edits,
    modules: early ? names : withEarly(names, needs.modules),
    makings: [{ program: 'update-initramfs', args: ['-u', '-k', 'all'], generates: ['/boot/initrd.img-*'] }],
    notes: [],
  }
}

interface ModuleLine {
  readonly name: string
  readonly start: number
  readonly end: number
}

/** Modules by line; what follows the name is for the module. */
function linesOf(text: string): readonly ModuleLine[] {
  return [...text.matchAll(/^[ \t]*([\w-]+)[^\n]*(?:\n|$)/gm)].map((match) => ({
    name: match[1] ?? '',
    start: match.index,
    end: match.index + match[0].length,
  }))
}

/** Before the first driver of a graphics adapter, else at the end; lines that stood further behind leave their place. */
function editList(text: string, lines: readonly ModuleLine[], wanted: readonly string[]): string {
  const names = new Set(wanted.map(moduleName))
  const first = lines.find(({ name }) => isGraphicsDriver(name))
  const kept = lines.filter((line) => names.has(moduleName(line.name)) && (first === undefined || line.start < first.start))
  const moved = lines.filter((line) => names.has(moduleName(line.name)) && !kept.includes(line))
  const cuts: Splice[] = moved.map(({ start, end }) => ({ start, end, text: '' }))
  const missing = wanted.filter((name) => !kept.some((line) => moduleName(line.name) === moduleName(name)))
  const at = first?.start ?? text.length
  const before = at === text.length && text !== '' && !text.endsWith('\n') ? '\n' : ''
  return applySplices(text, [...cuts, { start: at, end: at, text: `${before}${missing.join('\n')}\n` }])
}

function hookText(files: readonly string[]): string {
  const copies = files.map((path) => `copy_exec ${path} ${path}`)
  return [
    '#!/bin/sh',
    writtenBy.trimEnd(),
    'if [ "${1:-}" = prereqs ]; then echo; exit 0; fi',
    '. /usr/share/initramfs-tools/hook-functions',
    ...copies,
    '',
  ].join('\n')
}
