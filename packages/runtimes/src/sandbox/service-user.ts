import { chown, lchown, lstat, opendir, stat } from 'node:fs/promises'
import { join } from 'node:path'

/** User ids that plugins run as when their host is root. */
export interface UidRange {
  /** Also the group of all of them, to which an operator gives what several plugins were granted. */
  readonly first: number
  readonly count: number
}

/** No distribution gives these out. Source: systemd, "Users, Groups, UIDs and GIDs". */
export const defaultUids: UidRange = Object.freeze({ first: 60_706, count: 478 })

/** One plugin's user for as long as it runs. */
export interface ServiceUser extends Disposable {
  readonly uid: number
  readonly gid: number
}

const held = new Map<number, { readonly data: string; users: number }>()

/**
 * The user id for the plugin with this data directory: the directory's owner, else one that no other running plugin has;
 * data and exchange directory then belong to it. Two plugins at different times may have the same id: each still sees its
 * own directories only. Throws `RangeError` when all are taken.
 */
export async function takeServiceUser(
  range: UidRange,
  { data, exchange }: { data: string; exchange: string },
): Promise<ServiceUser> {
  const owner = (await stat(data)).uid
  const uid = choose(range, owner, data)
  const holder = held.get(uid) ?? { data, users: 0 }
  holder.users += 1
  held.set(uid, holder)
  const release = (): void => {
    holder.users -= 1
    if (holder.users === 0) held.delete(uid)
  }
  try {
    if (owner !== uid) await giveTree(data, uid)
    await chown(exchange, uid, uid)
    return { uid, gid: range.first, [Symbol.dispose]: release }
  } catch (error) {
    release()
    throw error
  }
}

function choose({ first, count }: UidRange, owner: number, data: string): number {
  const isFree = (uid: number): boolean => (held.get(uid)?.data ?? data) === data
  if (owner >= first && owner < first + count && isFree(owner)) return owner
  const mine = [...held].find(([uid, holder]) => holder.data === data && uid >= first && uid < first + count)
  if (mine !== undefined) return mine[0]
  const start = hash(data) % count
  for (let step = 0; step < count; step++) {
    const uid = first + ((start + step) % count)
    if (!held.has(uid)) return uid
  }
  throw new RangeError(`all ${count} user ids from ${first} on are taken`)
}

/**
 * Links are given, not followed, and what they lead to is not touched. A file with a second name stays whose it is: that
 * name may be anywhere.
 */
async function giveTree(path: string, uid: number): Promise<void> {
  const stats = await lstat(path)
  if (stats.isDirectory()) {
    for await (const entry of await opendir(path)) await giveTree(join(path, entry.name), uid)
  }
  if (stats.isDirectory() || stats.nlink === 1) await lchown(path, uid, uid)
}

function hash(text: string): number {
  let value = 0
  for (const character of text) value = (Math.imul(value, 31) + (character.codePointAt(0) ?? 0)) >>> 0
  return value
}
