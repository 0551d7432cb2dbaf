import { stat } from 'node:fs/promises'
import type { ServiceUser } from './service-user.ts'

const [readBit, writeBit, searchBit] = [4, 2, 1]

/**
 * A grant gives a path to a sandbox; whether the plugin's user may use it is still said by the path's own permissions.
 * Answers a sentence about each path that this user may not use as granted. Access lists are not looked at.
 */
export async function blockedGrants(
  { reads, writes }: { readonly reads: readonly string[]; readonly writes: readonly string[] },
  user: Pick<ServiceUser, 'uid' | 'gid'>,
): Promise<readonly string[]> {
  const sentences = await Promise.all([
    ...reads.map((path) => blocked(path, readBit, user)),
    ...writes.map((path) => blocked(path, writeBit, user)),
  ])
  return [...new Set(sentences.filter((sentence) => sentence !== undefined))]
}

async function blocked(path: string, bit: number, { uid, gid }: Pick<ServiceUser, 'uid' | 'gid'>): Promise<string | undefined> {
  const stats = await stat(path).catch(() => undefined)
  if (stats === undefined || stats.uid === uid) return undefined
  const wanted = stats.isDirectory() ? bit | searchBit : bit
  const own = stats.gid === gid ? (stats.mode >> 3) & 7 : stats.mode & 7
  if ((own & wanted) === wanted) return undefined
  const [what, change] = bit === writeBit ? ['write', 'g+rwX'] : ['read', 'g+rX']
  return `its user ${uid} may not ${what} ${path}, which was granted: chgrp ${gid} and chmod ${change} it`
}
