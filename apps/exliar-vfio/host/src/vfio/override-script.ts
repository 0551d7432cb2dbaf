import type { PciDevice } from '@exliar-vfio/points'
import { readConfig, type FileEdit, type TreeReader } from '../text/config-file.ts'
import { writtenBy } from '../text/written-by.ts'
import { idOf } from './claim.ts'

/** Where it is, on the machine and in its initial file system. */
export const overrideScriptPath = '/etc/exliar-vfio/override.sh'

/**
 * The script that modprobe runs in place of loading vfio-pci: it sets these functions aside for it, and no others. Each is
 * named by address and ids, so that nothing else is taken when a card moves to another slot. Functions that an earlier
 * version of the script names stay in it.
 */
export function editOverrideScript(tree: TreeReader, functions: readonly PciDevice[]): readonly FileEdit[] {
  if (functions.length === 0) return []
  const before = readConfig(tree, overrideScriptPath)?.text
  const known = [...(before ?? '').matchAll(/^ *(set_aside [\da-f].*)$/gm)].map(([, line]) => line ?? '')
  const lines = [
    ...new Set([...known, ...functions.map((device) => `set_aside ${device.bdf} ${idOf(device).replace(':', ' ')}`)]),
  ]
  const text = scriptText(lines)
  return before === text ? [] : [{ path: overrideScriptPath, before, text, mode: 0o755 }]
}

function scriptText(lines: readonly string[]): string {
  return `#!/bin/sh
${writtenBy}# modprobe runs it in place of loading vfio-pci.
set_aside() {
  device="/sys/bus/pci/devices/$1"
  [ -e "$device/driver_override" ] || return 0
  read -r vendor < "$device/vendor"
  read -r id < "$device/device"
  if [ "$vendor" = "0x$2" ] && [ "$id" = "0x$3" ]; then echo vfio-pci > "$device/driver_override"; fi
}
for iommu in /sys/class/iommu/*; do
  [ -e "$iommu" ] || break
${lines.map((line) => `  ${line}`).join('\n')}
  break
done
exec modprobe --ignore-install vfio-pci
`
}
