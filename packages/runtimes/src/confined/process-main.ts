import { descriptorChannel } from '@backplane/rpc'
import { ownPrograms, type OwnedPrograms } from '../guest/owned-programs.ts'
import { keepNamesUnder } from '../guest/module-map.ts'
import { serveGuest, type GuestStart } from '../session-link/guest-session.ts'
import type { DroppedPermission } from './child-shape.ts'

/** What a child is told on its command line. */
export interface ProcessBoot {
  readonly hostPid: number
  /** Modules loaded ahead, by URL; one that fails is left to the plugin that wants it. */
  readonly preload: readonly string[]
  /** Where a process started ahead will find its plugin's code. */
  readonly slot?: string
}

/** What a confined guest is told with its plugin. */
export interface ConfinedStart {
  readonly programs?: OwnedPrograms
  /** For a process started ahead: what it may not do after all. */
  readonly dropped?: readonly DroppedPermission[]
}

const boot = JSON.parse(process.argv[2] ?? '{}') as ProcessBoot
process.argv.length = 1
// Taken before any code of a plugin's can replace it.
const exit = process.exit.bind(process)

/** A host that died before the kernel was told to end us with it leaves us with another parent. */
function exitIfOrphaned(): void {
  if (process.ppid !== boot.hostPid) exit(0)
}

function drop(permission: DroppedPermission): void {
  process.permission.drop(permission)
  if (process.permission.has(permission)) throw new Error(`the permission ${permission} could not be dropped`)
}

exitIfOrphaned()
if (boot.slot !== undefined) keepNamesUnder(boot.slot)
const session = serveGuest({
  channel: descriptorChannel(3),
  beforeLoad: ({ dropped = [], programs }: GuestStart & ConfinedStart) => {
    exitIfOrphaned()
    for (const permission of dropped) drop(permission)
    if (programs !== undefined) ownPrograms(programs)
  },
})
void session.ended.then(({ kind }) => exit(kind === 'violated' ? 76 : 0))
void Promise.allSettled(boot.preload.map((url) => import(url)))
