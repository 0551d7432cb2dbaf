import { randomUUID } from 'node:crypto'
import type { VmInfo } from '@hypersdk/points'
import { readDomain, type Domain } from './domain.ts'
import { libvirtErrors } from './errors.ts'
import type { Virsh } from './virsh.ts'

const atOnce = 50
const uuidForm = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/

/** Every domain, running or not. A domain that vanishes meanwhile is left out. */
export async function listDomains(virsh: Virsh, signal: AbortSignal): Promise<VmInfo[]> {
  const uuids = (await virsh.run(['list', '--all', '--uuid'], signal)).split('\n').filter((line) => uuidForm.test(line))
  const machines: VmInfo[] = []
  for (let start = 0; start < uuids.length; start += atOnce) {
    machines.push(...(await describeAll(virsh, uuids.slice(start, start + atOnce), signal)))
  }
  return machines.sort((a, b) => (a.name < b.name ? -1 : 1))
}

/** One domain by UUID or name. Errors: `LIBVIRT_NOT_FOUND`. */
export async function getDomain(virsh: Virsh, id: string, signal: AbortSignal): Promise<VmInfo> {
  const domain = await findDomain(virsh, id, signal)
  const [machine] = await describeAll(virsh, [domain.uuid], signal)
  if (machine === undefined) throw libvirtErrors.error('LIBVIRT_NOT_FOUND', { id })
  return machine
}

/**
 * Looks a domain up by UUID or name. virsh would also take the number of a running domain, which another domain may be
 * named like; what comes back must be what was asked for.
 */
export async function findDomain(virsh: Virsh, id: string, signal: AbortSignal): Promise<Domain> {
  const domain = readDomain(await virsh.run(['dumpxml', '--domain', id], signal), id)
  if (domain.uuid !== id && domain.name !== id) throw libvirtErrors.error('LIBVIRT_NOT_FOUND', { id })
  return domain
}

/** One connection for many domains: a new one for each would cost a process and a handshake. */
async function describeAll(virsh: Virsh, uuids: readonly string[], signal: AbortSignal): Promise<VmInfo[]> {
  const mark = `mark-${randomUUID()}`
  const commands = uuids.flatMap((uuid) => [
    `echo ${mark}`,
    `domstate --domain ${uuid}`,
    `echo ${mark}`,
    `domblkinfo --domain ${uuid} --all`,
    `domifaddr --domain ${uuid}`,
    `echo ${mark}`,
    `dumpxml --domain ${uuid}`,
  ])
  const parts = (await virsh.script(commands, signal)).split(mark).slice(1)
  const machines: VmInfo[] = []
  for (let index = 0; index + 2 < parts.length; index += 3) {
    const [state = '', tables = '', xml = ''] = parts.slice(index, index + 3)
    if (xml.trim() !== '') machines.push(describe(readDomain(xml.trim(), 'a domain'), state.trim(), tables))
  }
  return machines
}

function describe(domain: Domain, state: string, tables: string): VmInfo {
  return {
    provider: 'libvirt',
    id: domain.uuid,
    name: domain.name,
    state: states[state] ?? 'unknown',
    location: '',
    power_state: state,
    guest_os: domain.os,
    memory_mb: domain.memoryMb,
    num_cpus: domain.cpus,
    storage_gb: Math.round((capacityBytes(domain, tables) / 1024 ** 3) * 1e6) / 1e6,
    ip_addresses: [...tables.matchAll(/\s(?:ipv4|ipv6)\s+([0-9a-f.:]+)\/\d+\s*$/gm)].map(([, address = '']) => address),
    tags: {},
    metadata: {
      uuid: domain.uuid,
      hypervisor: domain.type,
      firmware: domain.firmware,
      disks: domain.disks.map(({ target, format, source }) => ({ target, format, ...source })),
      nics: domain.nics,
      ...(domain.description === '' ? {} : { description: domain.description }),
    },
    created_at: null,
    updated_at: null,
  }
}

/** What `virsh domstate` says, in the host's words. */
const states: Readonly<Record<string, string>> = {
  running: 'running',
  idle: 'running',
  paused: 'suspended',
  pmsuspended: 'suspended',
  'in shutdown': 'running',
  'shut off': 'stopped',
  crashed: 'stopped',
}

/**
 * The capacities of the hard disks in `virsh domblkinfo --all`; media that are not counted as disks are left out. The
 * test driver says 1 TiB of every disk, which means nothing. Source: libvirt test_driver.c, testDomainGetBlockInfo.
 */
function capacityBytes(domain: Domain, tables: string): number {
  if (domain.type === 'test') return 0
  const targets = new Set(domain.disks.map((disk) => disk.target))
  const rows = [...tables.matchAll(/^\s*(\S+)\s+(\d+)\s+(?:\d+|-)\s+(?:\d+|-)\s*$/gm)]
  return rows.reduce((sum, [, target = '', capacity]) => (targets.has(target) ? sum + Number(capacity) : sum), 0)
}
