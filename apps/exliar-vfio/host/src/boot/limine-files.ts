import { exliarErrors } from '../errors.ts'
import { readConfig, type ConfigFile, type TreeReader } from '../text/config-file.ts'

const partitions = ['/boot', '/efi', '/boot/efi']
const directories = ['', '/limine', '/boot', '/boot/limine', '/EFI/limine', '/EFI/BOOT', '/EFI/arch-limine']

/** Where `limine.conf` may stand. Source: Limine's CONFIG.md, "Location of the config file". */
export const liminePaths: readonly string[] = partitions.flatMap((partition) =>
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

/** The programs of Limine that the firmware may start. */
export function limineImages(tree: TreeReader): readonly string[] {
  const kept = partitions.flatMap((partition) =>
    ['/EFI/limine', '/EFI/BOOT', '/EFI/arch-limine'].map((directory) => partition + directory),
  )
  return kept.flatMap((directory) => {
    const names = tree.names(directory).filter((name) => /\.efi$/i.test(name))
    return names.map((name) => `${directory}/${name}`).filter((path) => readConfig(tree, path)?.text.includes(mark) === true)
  })
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
    throw exliarErrors.error('CONFIG_UNCLEAR', { path: config.path, line: 1, reason })
  }
}
