import type { Snapshot } from '@hypersdk/points'
import { libvirtErrors } from './errors.ts'
import { findDomain } from './list-domains.ts'
import type { Virsh } from './virsh.ts'
import { find, readXml } from './xml-elements.ts'

/** The snapshots libvirt keeps of a domain, oldest first. Errors: `LIBVIRT_NOT_FOUND`. */
export async function listSnapshots(virsh: Virsh, id: string, signal: AbortSignal): Promise<Snapshot[]> {
  const { uuid } = await findDomain(virsh, id, signal)
  const names = (await virsh.run(['snapshot-list', '--domain', uuid, '--name'], signal)).split('\n').filter((name) => name !== '')
  const found: Snapshot[] = []
  for (const name of names) found.push(await readSnapshot(virsh, uuid, name, signal))
  return found.sort((a, b) => ((a.created_at ?? '') < (b.created_at ?? '') ? -1 : 1))
}

/** Takes a snapshot; of a running domain with its memory, where its disks can hold that. */
export async function createSnapshot(virsh: Virsh, wanted: { id: string; name: string }, signal: AbortSignal): Promise<Snapshot> {
  const { uuid } = await findDomain(virsh, wanted.id, signal)
  await virsh.run(['snapshot-create-as', '--domain', uuid, '--name', wanted.name], signal, 0)
  return readSnapshot(virsh, uuid, wanted.name, signal)
}

/** Errors: `LIBVIRT_SNAPSHOT_NOT_FOUND`. */
export async function deleteSnapshot(
  virsh: Virsh,
  unwanted: { id: string; snapshot_id: string },
  signal: AbortSignal,
): Promise<void> {
  const { uuid } = await findDomain(virsh, unwanted.id, signal)
  await virsh.run(['snapshot-delete', '--domain', uuid, '--snapshotname', unwanted.snapshot_id], signal, 0)
}

async function readSnapshot(virsh: Virsh, uuid: string, name: string, signal: AbortSignal): Promise<Snapshot> {
  const xml = await virsh.run(['snapshot-dumpxml', '--domain', uuid, '--snapshotname', name], signal)
  try {
    const root = readXml(xml.trim())
    const created = Number(find(root, 'creationTime')?.text)
    return {
      id: name,
      name,
      created_at: Number.isFinite(created) && created > 0 ? new Date(created * 1000).toISOString() : null,
      size_gb: 0,
      metadata: {
        state: find(root, 'state')?.text ?? '',
        parent: find(root, 'parent', 'name')?.text ?? null,
        description: find(root, 'description')?.text ?? '',
      },
    }
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error)
    throw libvirtErrors.error('LIBVIRT_XML_UNEXPECTED', { what: `snapshot ${name}`, reason }, { cause: error })
  }
}
