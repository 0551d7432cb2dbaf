import type { Making } from '../changes/step.ts'
import { readConfig, type FileEdit, type TreeReader } from '../text/config-file.ts'
import { writtenBy } from '../text/written-by.ts'
import { ownModprobeFiles } from '../vfio/modprobe-files.ts'
import type { EarlyNeeds, InitramfsEdit } from './edit-initramfs.ts'

const path = '/etc/dracut.conf.d/exliar-vfio.conf'

/** dracut, by a drop-in of its own. Source: dracut.conf(5), `force_drivers`, `install_items`. */
export function editDracut(tree: TreeReader, { modules, files }: EarlyNeeds): InitramfsEdit {
  // Without its options vfio-pci would be loaded early and take nothing; only an image for this machine alone has them by itself.
  const brought = [...new Set([...ownModprobeFiles(tree), ...files])]
  const lines = [`force_drivers+=" ${modules.join(' ')} "`]
  if (brought.length > 0) lines.push(`install_items+=" ${brought.join(' ')} "`)
  const text = `${writtenBy}${lines.join('\n')}\n`
  const before = readConfig(tree, path)?.text
  const edits: readonly FileEdit[] = before === text ? [] : [{ path, before, text }]
  return { files: edits, modules, makings: makingsOf(tree), notes: [] }
}

/**
 * Where images are named for packages, as on Arch Linux, dracut does not find their names by itself, and each is made by
 * name.
 */
function makingsOf(tree: TreeReader): readonly Making[] {
  const named = tree.names('/usr/lib/modules').flatMap((version): readonly Making[] => {
    const name = readConfig(tree, `/usr/lib/modules/${version}/pkgbase`)?.text.trim()
    const image = `/boot/initramfs-${name}.img`
    if (name === undefined || !tree.has(image)) return []
    return [{ program: 'dracut', args: ['--force', image, '--kver', version], generates: [image] }]
  })
  if (named.length > 0) return named
  const generates = ['/boot/initramfs-*.img', '/boot/initrd.img-*', '/boot/initrd-*', '/boot/*/*/initrd', '/efi/*/*/initrd']
  return [{ program: 'dracut', args: ['--force', '--regenerate-all'], generates }]
}
