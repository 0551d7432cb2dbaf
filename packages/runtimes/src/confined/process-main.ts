import { descriptorChannel } from '@backplane/rpc'
import type { EgressStart } from '../egress/egress-words.ts'
import { useEgress } from '../egress/guest/use-egress.ts'
import { ownPrograms, type OwnedPrograms } from '../guest/owned-programs.ts'
import { provideGuestModules, type GuestModules } from '../guest/guest-modules.ts'
import { knowDirectories, useOtherNames } from '../guest/other-names.ts'
import { keepNamesUnder } from '../guest/module-map.ts'
import type { GuestRequest } from '../guest/plugin-scope.ts'
import { tellDenials, tellUses } from '../guest/tell-denials.ts'
import { serveGuest } from '../session-link/guest-session.ts'
import { rehearse } from '../session-link/rehearse.ts'
import type { DroppedPermission } from './child-shape.ts'

/** What a child is told on its command line. */
export interface ProcessBoot extends GuestModules {
  readonly hostPid: number
  /** Whether it is in a sandbox, whose builder leaves a name in the environment. */
  readonly sandboxed?: true
  /** Where a process started ahead will find its plugin's code. */
  readonly slot?: string
  /** Directories that may be read only by another name: the link of each. */
  readonly otherNames?: Readonly<Record<string, string>>
  /** Directories that may be written and are there, although the permission model forgets them. */
  readonly forgotten?: readonly string[]
}

/** What a confined guest is told with its plugin. */
export interface ConfinedStart {
  readonly programs?: OwnedPrograms
  /** Its way to the network, if it was granted any of it. */
  readonly egress?: EgressStart
  /** For a process started ahead: what it may not do after all. */
  readonly dropped?: readonly DroppedPermission[]
  /** Whether it runs in audit mode. */
  readonly audit?: true
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

/** In audit mode Node lets a process become another program, and no filter can tell that from its own start. */
function watchUses(programs: OwnedPrograms | undefined): void {
  if (programs === undefined) Reflect.deleteProperty(process, 'execve')
  tellUses(session)
}

exitIfOrphaned()
if (boot.sandboxed === true) for (const name of Object.keys(process.env)) delete process.env[name]
// A terminal's Ctrl-C and a service manager's stop reach every process at once; when a plugin ends is its host's decision.
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, () => undefined)
useOtherNames(boot.otherNames ?? {})
knowDirectories(boot.forgotten ?? [])
if (boot.slot !== undefined) keepNamesUnder(boot.slot)
const session = serveGuest({
  channel: descriptorChannel(3),
  beforeLoad: (start: GuestRequest & ConfinedStart) => {
    const { dropped = [], programs, egress, audit } = start
    exitIfOrphaned()
    for (const permission of dropped) drop(permission)
    if (egress !== undefined) useEgress(egress)
    if (programs !== undefined) ownPrograms(programs)
    if (audit === true) watchUses(programs)
    else tellDenials(session)
    return start
  },
})
void session.ended.then(({ kind }) => exit(kind === 'violated' ? 76 : 0))
provideGuestModules(boot)
if (boot.preload) void rehearse()
