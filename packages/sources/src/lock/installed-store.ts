import { resolve } from 'node:path'
import { PackageStore } from '../package-store.ts'
import { readLock } from './lock-file.ts'

/** Versions of a plugin that are kept beside what the lock names, to go back to. */
const keepVersions = 2

/** The store of what is installed: whatever the lock names is kept, however old it is. */
export function installedStore({ lock, store }: { readonly lock: string; readonly store: string }): PackageStore {
  return new PackageStore(resolve(store), keepVersions, async () => {
    const { plugins } = (await readLock(lock)).lock
    return new Set(Object.values(plugins).flatMap(({ artifacts }) => Object.values(artifacts).map(({ digest }) => digest)))
  })
}
