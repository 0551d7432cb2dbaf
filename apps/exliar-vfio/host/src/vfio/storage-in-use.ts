import type { PciDevice } from '@exliar-vfio/points'
import type { TreeReader } from '../text/config-file.ts'

const blockDevices = '/sys/class/block'
/** Of this program, and of the first one where a copy has that. */
const mountTables = ['/proc/self/mountinfo', '/proc/1/mountinfo']

/**
 * What this machine uses of the disks behind these functions, by address, a sentence each: file systems that are mounted,
 * swap, and what a mapper or an array is made of. A pool of ZFS is not to be seen here.
 */
export function storageInUse(
  tree: TreeReader,
  devices: readonly Pick<PciDevice, 'bdf' | 'sysfs_path'>[],
): readonly { bdf: string; reason: string }[] {
  const uses = usesOf(tree)
  return tree.names(blockDevices).flatMap((name) => {
    const path = tree.realPath(`${blockDevices}/${name}`)
    const device = devices.find(({ sysfs_path: above }) => path?.startsWith(`${above}/`) === true)
    if (device === undefined) return []
    const use = useOf(tree, name, uses)
    return use === undefined
      ? []
      : [{ bdf: device.bdf, reason: `${device.bdf} carries ${name}, ${use}: this machine would lose it` }]
  })
}

/** By number or path of a device: how it is used. */
type Uses = ReadonlyMap<string, string>

function usesOf(tree: TreeReader): Uses {
  const table = mountTables.map((path) => textOf(tree, path)).find((text) => text !== '') ?? ''
  const uses = new Map<string, string>()
  for (const line of table.split('\n').toReversed()) {
    const [, , number, , place] = line.split(' ')
    // File systems that span disks have numbers of their own, and say one of the disks behind a hyphen.
    const [, , source] = line.slice(line.indexOf(' - ')).trim().split(' ')
    for (const key of [number, source]) if (key !== undefined) uses.set(key, `which is mounted at ${unescaped(place ?? '')}`)
  }
  for (const [, path = ''] of textOf(tree, '/proc/swaps').matchAll(/^(\/\S+)/gm)) uses.set(path, 'which is swapped to')
  return uses
}

function useOf(tree: TreeReader, name: string, uses: Uses): string | undefined {
  // One of several ways to a namespace; what is used is the namespace.
  const used = name.replace(/^(nvme\d+)c\d+(n\d+)/, '$1$2')
  const holder = tree.names(`${blockDevices}/${used}/holders`)[0]
  const number = textOf(tree, `${blockDevices}/${used}/dev`).trim()
  return uses.get(number) ?? uses.get(`/dev/${used}`) ?? (holder === undefined ? undefined : `which ${holder} is made of`)
}

/** White space is written as octal digits there. Source: proc_pid_mountinfo(5). */
function unescaped(place: string): string {
  return place.replaceAll(/\\([0-7]{3})/g, (_, digits: string) => String.fromCodePoint(Number.parseInt(digits, 8)))
}

function textOf(tree: TreeReader, path: string): string {
  return tree.readBytes(path)?.toString('utf8') ?? ''
}
