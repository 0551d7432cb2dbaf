import type { Distribution } from '@exliar-vfio/points'
import type { MachineTree } from '../machine/machine-tree.ts'
import type { Fact } from './fact.ts'

const places = ['/etc/os-release', '/usr/lib/os-release']

const families: ReadonlyMap<string, Distribution['family']> = new Map([
  ['arch', 'arch'],
  ['artix', 'arch'],
  ['manjaro', 'arch'],
  ['debian', 'debian'],
  ['ubuntu', 'debian'],
  ['fedora', 'fedora'],
  ['rhel', 'fedora'],
  ['centos', 'fedora'],
  ['suse', 'suse'],
  ['opensuse', 'suse'],
  ['sles', 'suse'],
  ['gentoo', 'gentoo'],
])

/** Source: os-release(5). */
export function distribution(tree: MachineTree): Fact<Distribution | null> {
  const evidence = places.find((path) => tree.glance(path) !== undefined)
  if (evidence === undefined) return { value: null, evidence: null }
  const fields = osRelease(tree.glance(evidence) ?? '')
  const id = fields.get('ID') ?? 'linux'
  const value = {
    name: fields.get('NAME') ?? fields.get('PRETTY_NAME') ?? 'Linux',
    version: fields.get('VERSION_ID') ?? fields.get('VERSION') ?? fields.get('BUILD_ID') ?? '',
    id,
    family: family([id, ...(fields.get('ID_LIKE') ?? '').split(/\s+/)]),
  }
  return { value, evidence }
}

/** The nearest first, as `ID_LIKE` lists them; `opensuse-tumbleweed` is of `opensuse`. */
function family(ids: readonly string[]): Distribution['family'] {
  const known = ids.flatMap((id) => families.get(id) ?? families.get(id.split('-')[0] ?? '') ?? [])
  return known[0] ?? 'other'
}

/** Lines are assignments a shell would understand. */
function osRelease(text: string): ReadonlyMap<string, string> {
  const lines = text.matchAll(/^\s*([A-Z_\d]+)=(?:"((?:[^"\\]|\\.)*)"|'([^']*)'|(\S*))\s*$/gm)
  return new Map(
    Array.from(lines, ([, name = '', double, single, bare]) => {
      return [name, single ?? (double ?? bare ?? '').replaceAll(/\\(.)/g, '$1')] as const
    }),
  )
}
