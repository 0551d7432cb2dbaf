import { readConfig, type ConfigFile, type TreeReader } from '../text/config-file.ts'
import { unclearAt } from '../text/unclear-at.ts'
import { bootPartitions } from './boot-partitions.ts'

const directories = ['', '/limine', '/boot', '/boot/limine', '/EFI/limine', '/EFI/BOOT', '/EFI/arch-limine']

/** Where `limine.conf` may stand. Source: Limine's CONFIG.md, "Location of the config file". */
export const liminePaths: readonly string[] = bootPartitions.flatMap((partition) =>
  directories.map((directory) => `${partition}${directory}/limine.conf`),
)

/** Those that are there, each once. */
export function limineConfigs(tree: TreeReader): readonly ConfigFile[] {
  const found = new Map<string, ConfigFile>()
  for (const path of liminePaths) {
    const file = readConfig(tree, path)
    const real = tree.realPath(path) ?? path
    if (file !== undefined && !found.has(real)) found.set(real, file)
  }
  return [...found.values()]
}

/** Limine's own programs are a tenth of it; beside them may lie images of whole systems. */
const mostProgramBytes = 8 * 1024 * 1024

/** The programs of Limine that the firmware may start. */
export function limineImages(tree: TreeReader): readonly string[] {
  const kept = bootPartitions.flatMap((partition) =>
    ['/EFI/limine', '/EFI/BOOT', '/EFI/arch-limine'].map((directory) => partition + directory),
  )
  return kept.flatMap((directory) => {
    const names = tree.names(directory).filter((name) => /\.efi$/i.test(name))
    return names.map((name) => `${directory}/${name}`).filter((path) => isLimine(tree, path))
  })
}

function isLimine(tree: TreeReader, path: string): boolean {
  const { kind, sizeBytes } = tree.stat(path) ?? { kind: 'other', sizeBytes: 0 }
  return kind === 'file' && sizeBytes <= mostProgramBytes && readConfig(tree, path)?.text.includes(mark) === true
}

/** Initial file systems and unified images that the entries name, on whichever partition they are: their hash may stand there. */
export function limineEntryImages(configs: readonly ConfigFile[]): readonly string[] {
  const named = configs.flatMap(({ text }) => [
    ...text.matchAll(/^[ \t]*(module_)?(?:path|image_path)[ \t]*:[ \t]*\w+\([^)\n]*\):(\/[^#$\r\n]+)/gim),
  ])
  const paths = named.flatMap(([, module, path = '']) => (module !== undefined || /\.efi\s*$/i.test(path) ? [path.trim()] : []))
  return bootPartitions.flatMap((partition) => [...new Set(paths)].map((path) => partition + path))
}

/** Behind it stands the hash of `limine.conf`, or zeros. */
const mark = '++CONFIG_B2SUM_SIGNATURE++'

/** Limine does not start with a configuration of another hash than the one enrolled in it. Source: `limine enroll-config`. */
export function refuseEnrolled(tree: TreeReader, config: ConfigFile): void {
  for (const path of limineImages(tree)) {
    const text = readConfig(tree, path)?.text ?? ''
    const hash = text.slice(text.indexOf(mark) + mark.length).slice(0, 128)
    if (!/^[\da-f]{128}$/i.test(hash) || /^0+$/.test(hash)) continue
    const reason = `the hash of this file is enrolled in ${path}, which would no longer start with another one`
    throw unclearAt(config, 0, reason)
  }
}
