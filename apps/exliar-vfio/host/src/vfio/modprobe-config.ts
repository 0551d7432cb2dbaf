import { exliarErrors } from '../errors.ts'
import { readConfig, type ConfigFile, type FileEdit, type TreeReader } from '../text/config-file.ts'
import { applySplices, lineAt, type Splice } from '../text/splice.ts'
import { unclearAt } from '../text/unclear-at.ts'
import { writtenBy } from '../text/written-by.ts'
import { idOf, type Claim } from './claim.ts'
import { orderPath, readModprobeFiles, softDependencies, type SoftDependency } from './modprobe-files.ts'
import { overrideScriptPath } from './override-script.ts'

/** What modprobe is told of VFIO. */
const modprobePath = '/etc/modprobe.d/vfio.conf'

/** Before these vfio-pci is to be loaded. Source: seed 004's `configure_modprobe`, and Intel's newer driver. */
const graphicsModules = ['drm', 'amdgpu', 'nouveau', 'radeon', 'nvidia', 'i915', 'xe']
const options = ['disable_vga=1', 'disable_idle_d3=1']

/**
 * What modprobe must be told, merged into the file where there is one. `drivers` are those of the selected functions now.
 * Errors: `MODPROBE_CONFLICT` when something else already tells vfio-pci what to take; `CONFIG_UNCLEAR`.
 */
export function editModprobe(tree: TreeReader, claim: Claim, drivers: readonly string[]): readonly FileEdit[] {
  const files = readModprobeFiles(tree)
  for (const file of files) refuseConflicts(file, claim)
  const before = readConfig(tree, modprobePath)?.text
  // One of that name in another directory counts no more once ours is there.
  const counting = files.find(({ path }) => path.endsWith('/vfio.conf'))?.text
  const text = counting ?? writtenBy
  refuseContinued({ path: modprobePath, text })
  const splices: Splice[] = []
  const lines: string[] = []
  const standing = optionsLine({ path: modprobePath, text })
  if (standing === undefined) lines.push(['options vfio-pci', ...idsOption([], claim), ...options].join(' '))
  else splices.push(...mergeOptions(standing, claim))
  if (claim.bySlot.length > 0 && !/^[ \t]*install[ \t]+vfio[-_]pci[ \t]/m.test(text)) {
    lines.push(`install vfio-pci ${overrideScriptPath}`)
  }
  const modules = [...new Set([...graphicsModules, ...drivers.map((name) => moduleOf(tree, name))])]
  const others = softDependencies(files)
  const late = modules.filter((module) => module !== 'vfio_pci' && others.get(module)?.pre.some(isVfio) !== true)
  for (const name of late.filter((module) => !others.has(module))) lines.push(`softdep ${name} pre: vfio-pci`)
  const gap = text.endsWith('\n') ? '' : '\n'
  if (lines.length > 0) splices.push({ start: text.length, end: text.length, text: `${gap}${lines.join('\n')}\n` })
  const edited = applySplices(text, splices)
  const order = editOrder(
    tree,
    late.flatMap((module) => others.get(module) ?? []),
  )
  return [...(edited === counting ? [] : [{ path: modprobePath, before, text: edited }]), ...order]
}

/** modprobe heeds the first line of a module only, so what another file says is said again, with VFIO in it, before that. */
function editOrder(tree: TreeReader, standing: readonly SoftDependency[]): readonly FileEdit[] {
  if (standing.length === 0) return []
  const before = readConfig(tree, orderPath)?.text
  const lines = standing.map(({ module, pre, post }) => {
    return [`softdep ${module} pre: vfio-pci`, ...pre, ...(post.length === 0 ? [] : ['post:', ...post])].join(' ')
  })
  return [{ path: orderPath, before, text: `${before ?? writtenBy}${lines.join('\n')}\n` }]
}

/** modprobe knows modules, whose names need not be their drivers': `nvidia-gpu` is a driver of `i2c_nvidia_gpu`. */
function moduleOf(tree: TreeReader, driver: string): string {
  return tree.linkName(`/sys/bus/pci/drivers/${driver}/module`) ?? driver.replaceAll('-', '_')
}

function isVfio(module: string): boolean {
  return module.replaceAll('-', '_') === 'vfio_pci'
}

/** modprobe heeds the last `ids=` only, and one `install`: with two files that say so, one would be without effect. */
function refuseConflicts(file: ConfigFile, { bySlot }: Claim): void {
  const slotIds = new Set(bySlot.map(idOf))
  const blocked = /^[ \t]*(?:blacklist[ \t]+vfio[-_]pci[ \t]*$|alias[ \t]+vfio[-_]pci[ \t])/m.exec(file.text)
  if (blocked !== null) {
    const line = lineAt(file.text, blocked.index)
    throw exliarErrors.error('MODPROBE_CONFLICT', { path: file.path, line, what: 'something in place of the loading' })
  }
  // A line that goes on in the next one is one line; each character keeps its position.
  const text = file.text.replaceAll('\\\n', '  ')
  for (const match of text.matchAll(/^[ \t]*(options|install)[ \t]+vfio[-_]pci\b([^\n]*)/gm)) {
    const [, keyword, rest = ''] = match
    const own = file.path === modprobePath
    const ids = /\bids=(\S*)/.exec(rest)?.[1]?.split(',')
    const what = keyword === 'install' ? 'the install command' : 'the ids'
    const clashes = keyword === 'install' ? !own || !rest.includes(overrideScriptPath) : conflictingIds(ids, own, slotIds)
    if (clashes) throw exliarErrors.error('MODPROBE_CONFLICT', { path: file.path, line: lineAt(file.text, match.index), what })
  }
}

function conflictingIds(ids: readonly string[] | undefined, own: boolean, slotIds: ReadonlySet<string>): boolean {
  return ids !== undefined && (!own || ids.some((id) => slotIds.has(id.toLowerCase())))
}

interface OptionsLine {
  readonly file: ConfigFile
  readonly start: number
  readonly end: number
  readonly words: readonly string[]
}

/** A line that goes on in the next one leaves no place that is surely between two. */
function refuseContinued(file: ConfigFile): void {
  const at = file.text.search(/\\(?:\n|$)/)
  if (at !== -1) throw unclearAt(file, at, 'a line goes on in the next one')
}

/** The last line of our file that has ids, which are the ones that count, else the last one. */
function optionsLine(file: ConfigFile): OptionsLine | undefined {
  const lines = [...file.text.matchAll(/^[ \t]*options[ \t]+vfio[-_]pci\b([^\n]*)/gm)].map((match) => {
    const end = match.index + match[0].length
    return {
      file,
      start: end - (match[1] ?? '').length,
      end,
      words: (match[1] ?? '')
        .trim()
        .split(/\s+/)
        .filter((word) => word !== ''),
    }
  })
  return lines.findLast(({ words }) => words.some((word) => word.startsWith('ids='))) ?? lines.at(-1)
}

function mergeOptions({ file, start, end, words }: OptionsLine, claim: Claim): readonly Splice[] {
  const broken = words.find((word) => !word.includes('='))
  if (broken !== undefined || words.some((word) => word.endsWith(','))) {
    throw unclearAt(file, start, 'the options of vfio-pci hold a space where modprobe takes none')
  }
  const given = words.filter((word) => word.startsWith('ids='))
  if (given.length > 1 || given[0]?.includes('"'))
    throw unclearAt(file, start, 'the ids of vfio-pci are given twice, or in quotation marks')
  const present = (given[0]?.slice('ids='.length).split(',') ?? []).filter((id) => id !== '')
  const [ids] = idsOption(present, claim)
  const merged = words.map((word) => (word.startsWith('ids=') && ids !== undefined ? ids : word))
  if (given.length === 0 && ids !== undefined) merged.unshift(ids)
  for (const option of options) if (!words.some((word) => word.startsWith(option.split('=')[0] ?? option))) merged.push(option)
  return merged.join(' ') === words.join(' ') ? [] : [{ start, end, text: ` ${merged.join(' ')}` }]
}

/** Without a space: modprobe would take what follows it for another option. */
function idsOption(present: readonly string[], { ids }: Claim): readonly string[] {
  const all = [...new Set([...present, ...ids])]
  return all.length === 0 ? [] : [`ids=${all.join(',')}`]
}
