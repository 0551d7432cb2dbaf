import { existsSync } from 'node:fs'
import { rmdir } from 'node:fs/promises'
import { join } from 'node:path'
import { groupParents } from './cgroup-v1.ts'
import { ownGroup } from './cgroup-v2.ts'
import { abandonedGroups, membersOf } from './control-files.ts'

/**
 * Control groups without processes that hosts which have ended left beside this process's own; removes them when told to, and
 * answers those that are there, or were. `parents` is for tests.
 */
export async function emptyGroups(remove: boolean, parents: readonly string[] = ownParents()): Promise<readonly string[]> {
  const all = parents
    .filter((parent) => existsSync(parent))
    .flatMap((parent) => abandonedGroups(parent).map((name) => join(parent, name)))
  const empty: string[] = []
  for (const path of all) if ((await membersOf(path)).length === 0) empty.push(path)
  // the system removes none that somebody has moved into meanwhile
  if (remove) await Promise.all(empty.map((path) => rmdir(path).catch(() => undefined)))
  return empty
}

function ownParents(): readonly string[] {
  const own = ownGroup()
  return [...new Set([...groupParents(), ...(own === undefined ? [] : [own])])]
}
