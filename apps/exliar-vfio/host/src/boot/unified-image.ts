import type { Making } from '../changes/step.ts'
import { exliarErrors } from '../errors.ts'
import { findProgram } from '../machine/find-program.ts'
import { readConfig, readDropIns, readMerged, type TreeReader } from '../text/config-file.ts'
import { plainStretch } from '../text/mapped-text.ts'
import { effective, effectiveText, readAssignments, refuseAssignment, type Assignment } from '../text/shell-file.ts'
import { bootPartitions } from './boot-partitions.ts'
import type { BootSetup } from './boot-setup.ts'
import { requireCommandLineFile } from './command-line-file.ts'
import type { KernelLine } from './kernel-line.ts'

const images = bootPartitions.map((partition) => `${partition}/EFI/Linux/*.efi`)

/** Who makes the image, and where that one finds the line. */
interface Maker {
  readonly making: Making
  readonly line: (tree: TreeReader) => KernelLine
}

/** Kernel, initial file system and command line in one image. Source: mkinitcpio(8) "UKI", kernel-install(8), dracut(8). */
export function readUnifiedImage(tree: TreeReader): BootSetup {
  const maker = makerOf(tree)
  const line = maker === undefined ? requireCommandLineFile(tree) : maker.line(tree)
  const notes = maker === undefined ? ['No program was found that makes the unified image: make it anew by hand.'] : []
  return { bootloader: 'uki', lines: [line], makings: maker === undefined ? [] : [maker.making], notes }
}

/** What must run when an initial file system was made anew by these: the image that holds it is another's to make. */
export function unifiedAfterImages(tree: TreeReader, makings: readonly Making[]): readonly Making[] {
  const command = ({ program, args }: Making): string => [program, ...args].join(' ')
  const maker = makerOf(tree)
  return maker === undefined || makings.map(command).includes(command(maker.making)) ? [] : [maker.making]
}

/** Whether this machine starts from such images. */
export function hasUnifiedImages(tree: TreeReader): boolean {
  return images.some((pattern) => tree.names(pattern.slice(0, pattern.lastIndexOf('/'))).some((name) => name.endsWith('.efi')))
}

/** The one that is set up to make such images, else the one that could. */
function makerOf(tree: TreeReader): Maker | undefined {
  const layout = /^\s*layout\s*=\s*(\S+)/m.exec(readConfig(tree, '/etc/kernel/install.conf')?.text ?? '')?.[1]
  const has = (program: string): boolean => findProgram(tree, program) !== undefined
  if (layout === 'uki' && has('kernel-install')) return kernelInstall
  if (has('mkinitcpio') && presetsMakeImages(tree)) return mkinitcpio
  if (has('dracut') && dracutMakesImages(tree)) return dracut
  if (has('mkinitcpio') && tree.names('/etc/mkinitcpio.d').length === 0) return mkinitcpio
  return has('kernel-install') && !has('mkinitcpio') && !has('dracut') ? kernelInstall : undefined
}

const kernelInstall: Maker = {
  making: { program: 'kernel-install', args: ['add-all'], generates: images },
  line: requireCommandLineFile,
}

const mkinitcpio: Maker = {
  making: { program: 'mkinitcpio', args: ['-P'], generates: images },
  line: (tree) => readParts(tree) ?? requireCommandLineFile(tree),
}

const dracut: Maker = {
  making: { program: 'dracut', args: ['--force', '--regenerate-all'], generates: images },
  line: dracutLine,
}

/** mkinitcpio prefers the files of this directory to the one file. */
function readParts(tree: TreeReader): KernelLine | undefined {
  const parts = readDropIns(tree, '/etc/cmdline.d', '.conf').map((file) => {
    const text = file.text.trimEnd()
    return { file, value: plainStretch(file.text, 0, text.length) }
  })
  const target = parts.at(-1)
  return target === undefined ? undefined : { parts, target }
}

function presetsMakeImages(tree: TreeReader): boolean {
  const presets = readDropIns(tree, '/etc/mkinitcpio.d', '.preset')
  return presets.some(({ text }) => /^[ \t]*\w+_(?:uki|efi_image)=|^[^#\n]*--uki\b/m.test(text))
}

/** Source: dracut.conf(5). */
const dracutDirectories = ['/etc/dracut.conf.d', '/usr/lib/dracut/dracut.conf.d']

function dracutSettings(tree: TreeReader, name: string): readonly Assignment[] {
  const main = readConfig(tree, '/etc/dracut.conf')
  const files = [...(main === undefined ? [] : [main]), ...readMerged(tree, dracutDirectories, '.conf')]
  return files.flatMap((file) => readAssignments(file, [name]))
}

function dracutMakesImages(tree: TreeReader): boolean {
  const last = effective(dracutSettings(tree, 'uefi'), 'uefi').at(-1)?.value
  return last?.kind === 'word' && last.text.text.trim() === 'yes'
}

/** dracut does not read the file that the others read. Source: dracut.conf(5), `kernel_cmdline`. */
function dracutLine(tree: TreeReader): KernelLine {
  const name = 'kernel_cmdline'
  const chain = effectiveText(dracutSettings(tree, name), name)
  const parts = chain.map((assignment) => {
    const { value, file } = assignment
    if (value.kind === 'array') throw refuseAssignment(assignment, `${name} is a list`)
    return { file, value: value.text }
  })
  const target = parts.find(({ file }) => file.path.startsWith('/etc/'))
  if (target !== undefined) return { parts, target }
  const [shipped] = chain
  if (shipped !== undefined)
    throw refuseAssignment(
      shipped,
      `this file is the distribution's: begin one in ${dracutDirectories[0]} that is read after it, with ${name}+=" "`,
    )
  const reason = `without ${name} the line of a new image is whatever the running kernel had`
  throw exliarErrors.error('CONFIG_MISSING', { path: '/etc/dracut.conf', reason, owner: 'dracut' })
}
