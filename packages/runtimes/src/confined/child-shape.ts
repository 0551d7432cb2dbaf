import { basename } from 'node:path'
import type { StartRequest } from '@backplane/kernel'
import type { Shape } from '../pool/spare-bodies.ts'
import { grantedPaths } from './granted-paths.ts'

/** All of a child's permissions that do not lie in the directories every plugin has. */
export interface ChildShape extends Shape {
  readonly reads: readonly string[]
  readonly writes: readonly string[]
  readonly exec: boolean
  /** Whether it has a way to the network, through its host. */
  readonly net: boolean
  /** In audit mode: of `reads`, those that are no grants, so that their use is not told. */
  readonly audit?: { readonly reads: readonly string[] } | undefined
  readonly memoryMiB: number
  /** Last part of the data directory's path. */
  readonly dataName: string
}

/** The shape of a child with these permissions. */
export function childShape(permissions: Omit<ChildShape, 'key'>): ChildShape {
  const { reads, writes, exec, net, audit = null, memoryMiB, dataName } = permissions
  return { ...permissions, key: JSON.stringify([reads.toSorted(), writes.toSorted(), exec, net, audit, memoryMiB, dataName]) }
}

/** What a plugin's grants need beside its directories. Errors: `RUNTIME_GRANT_UNUSABLE`, `RUNTIME_GRANT_TOO_WIDE`. */
export async function shapeOf(
  request: StartRequest,
  adapterReads: readonly string[],
  hostReads: readonly string[],
): Promise<ChildShape> {
  const { plugin, grants, limits, directories } = request
  const { reads, writes } = await grantedPaths(grants, plugin.id, { directories, reads: [...adapterReads, ...hostReads] })
  return childShape({
    reads: [...reads, ...adapterReads],
    writes,
    exec: grants.exec.length > 0,
    net: grants.net.length > 0,
    ...(request.audit === true ? { audit: { reads: adapterReads } } : {}),
    memoryMiB: limits.memoryMiB,
    dataName: basename(directories.data),
  })
}

/** A permission that a process can give up for good while it runs. */
export type DroppedPermission = 'child'

/** Whether a running process can give up permissions: Node 26.10 and later. */
export const canDropPermissions: boolean = atLeast(process.versions.node, 26, 10)

/**
 * The shape a spare is made with so that it fits more plugins: programs allowed, to be given up before any code of a
 * plugin's is loaded, and a way to the network, which leads nowhere unless the host answers there.
 */
export function spareShape(shape: ChildShape): ChildShape {
  return childShape({ ...shape, exec: canDropPermissions || shape.exec, net: true })
}

/** What a spare made for `spare` has to give up to become one for `wanted`. */
export function permissionsToDrop(spare: ChildShape, wanted: ChildShape): readonly DroppedPermission[] {
  return spare.exec && !wanted.exec ? ['child'] : []
}

function atLeast(version: string, major: number, minor: number): boolean {
  const [is = 0, isMinor = 0] = version.split('.').map(Number)
  return is > major || (is === major && isMinor >= minor)
}
