import { constants } from 'node:fs'
import { chown, lchown, lstat, open, opendir, stat } from 'node:fs/promises'
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

/** A plugin's own directories are not nested deeper by accident; each level holds one file open. */
const mostLevels = 128

/**
 * Links are given, not followed, and what they lead to is not touched. A file with a second name stays whose it is: that
 * name may be anywhere. Every directory is held open while its entries are given, by names below that descriptor: a plugin
 * that still runs cannot put a link in the way.
 */
async function giveTree(path: string, uid: number, level = 0): Promise<void> {
  if (level > mostLevels) throw new RangeError(`the data directory has more than ${mostLevels} levels`)
  const directory = await open(path, constants.O_RDONLY | constants.O_DIRECTORY | constants.O_NOFOLLOW)
  try {
    const here = `/proc/self/fd/${directory.fd}`
    for await (const entry of await opendir(here)) {
      const own = join(here, entry.name)
      if (entry.isDirectory()) await giveTree(own, uid, level + 1)
      else if ((await lstat(own)).nlink === 1) await lchown(own, uid, uid)
    }
    await directory.chown(uid, uid)
  } finally {
    await directory.close()
  }
}

function hash(text: string): number {
  let value = 0
  for (const character of text) value = (Math.imul(value, 31) + (character.codePointAt(0) ?? 0)) >>> 0
  return value
}
