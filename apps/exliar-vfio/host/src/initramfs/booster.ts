import { isMap, isScalar, parseDocument, type Scalar } from 'yaml'
import { findProgram } from '../machine/find-program.ts'
import type { Making } from '../changes/step.ts'
import { readConfig, type ConfigFile, type FileEdit, type TreeReader } from '../text/config-file.ts'
import { applySplices } from '../text/splice.ts'
import { unclearAt } from '../text/unclear-at.ts'
import type { EarlyNeeds, InitramfsEdit } from './edit-initramfs.ts'
import { isGraphicsDriver, isLoadedEarly, withEarly, withoutThese } from './early-modules.ts'

const path = '/etc/booster.yaml'
const key = 'modules_force_load'

/** booster: one key of its YAML file; the rest keeps every byte. Source: booster(1), "CONFIG FILE". */
export function editBooster(tree: TreeReader, { modules, files }: EarlyNeeds): InitramfsEdit {
  const file = readConfig(tree, path)
  const value = file === undefined ? undefined : forceLoadOf(file)
  const present = listOf(value)
  const bySlot = files.some((brought) => brought.endsWith('.sh'))
  const list = bySlot ? withoutThese(present, modules) : isLoadedEarly(present, modules) ? present : withEarly(present, modules)
  const same = list.join() === present.join()
  const edits: readonly FileEdit[] = same ? [] : [{ path, before: file?.text, text: checked(file, edited(file, value, list)) }]
  return { files: edits, modules: list, makings: makingsOf(tree), notes: bySlot ? notesOf(list) : [] }
}

/**
 * booster loads what it is told to without asking modprobe, and modprobe runs no script for what is loaded already: for
 * whoever is bound by slot VFIO must come later. Source: libkmod, `kmod_module_probe_insert_module`.
 */
function notesOf(list: readonly string[]): readonly string[] {
  const later =
    'booster runs no scripts: VFIO is loaded once the root file system is there, and takes what is bound by slot before its driver is loaded.'
  const sooner = list.filter(isGraphicsDriver)
  if (sooner.length === 0) return [later]
  return [
    later,
    `booster loads ${sooner.join(', ')} before that, which keeps its cards: take it out of ${key} if one of them is to go.`,
  ]
}

function forceLoadOf(file: ConfigFile): Scalar | undefined {
  const document = parseDocument(file.text, { keepSourceTokens: true })
  const [error] = document.errors
  if (error !== undefined) throw unclearAt(file, error.pos[0], 'it is not valid YAML')
  if (document.contents === null) return undefined
  if (!isMap(document.contents) || document.contents.flow === true) throw unclearAt(file, 0, 'it is no mapping in lines')
  const node: unknown = document.contents.get(key, true)
  if (node === undefined) return undefined
  if (isScalar(node) && (typeof node.value === 'string' || node.value === null)) return node
  throw unclearAt(file, file.text.search(/^modules_force_load/m), `${key} is no text`)
}

function listOf(value: Scalar | undefined): readonly string[] {
  const text = typeof value?.value === 'string' ? value.value : ''
  return text
    .split(',')
    .map((name) => name.trim())
    .filter((name) => name !== '')
}

function edited(file: ConfigFile | undefined, value: Scalar | undefined, modules: readonly string[]): string {
  const list = modules.join(',')
  if (file === undefined) return `${key}: ${list}\n`
  const range = value?.range
  if (value === undefined || range === undefined || range === null) {
    return `${file.text}${file.text === '' || file.text.endsWith('\n') ? '' : '\n'}${key}: ${list}\n`
  }
  const [start, end] = range
  const source = file.text.slice(start, end)
  const quote = /^["']/.exec(source)?.[0] ?? ''
  if (/[\n\\|>]/.test(source)) throw unclearAt(file, start, `${key} spans lines or holds escaped characters`)
  const gap = source === '' && file.text[start - 1] === ':' ? ' ' : ''
  return applySplices(file.text, [{ start, end, text: `${gap}${quote}${list}${quote}` }])
}

/** Indents, anchors and ends of documents may make something else of what was written: all but the one key must stay. */
function checked(file: ConfigFile | undefined, text: string): string {
  if (file === undefined || restOf(file.text) === restOf(text)) return text
  throw unclearAt(file, file.text.search(new RegExp(`^${key}`, 'm')), `${key} cannot be changed without another key`)
}

/** All but the one key; undefined where it cannot be read. */
function restOf(text: string): string | undefined {
  const document = parseDocument(text)
  if (document.errors.length > 0 || !(isMap(document.contents) || document.contents === null)) return undefined
  const all: Record<string, unknown> = { ...document.toJS() }
  return JSON.stringify({ ...all, [key]: undefined })
}

/** Arch Linux brings a script that knows the names of the images; elsewhere each kernel's is made by name. */
function makingsOf(tree: TreeReader): readonly Making[] {
  const script = '/usr/lib/booster/regenerate_images'
  const all = ['/boot/booster-*.img']
  if (findProgram(tree, script) !== undefined) return [{ program: script, args: [], generates: all }]
  const named = tree.names('/usr/lib/modules').flatMap((version): readonly Making[] => {
    const name = readConfig(tree, `/usr/lib/modules/${version}/pkgbase`)?.text.trim() ?? version
    const image = `/boot/booster-${name}.img`
    return [{ program: 'booster', args: ['build', '--force', '--kernel-version', version, image], generates: [image] }]
  })
  return named.length > 0
    ? named
    : [{ program: 'booster', args: ['build', '--force', '/boot/booster-linux.img'], generates: all }]
}
