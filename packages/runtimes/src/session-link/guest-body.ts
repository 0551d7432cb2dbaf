import type { Duplex } from 'node:stream'
import type { ExitCause, ProfileKind, ProfileOptions } from '@backplane/kernel'
import type { Channel } from '@backplane/rpc'
import type { ProcessUse } from '../sandbox/process-tree.ts'
import type { GroupCounts } from '../sandbox/resource-group.ts'
import type { PluginOutput } from '../output/plugin-output.ts'

/** Why a body was ended by its host for going over a limit. */
export interface KillReason {
  readonly kind: 'memory'
  readonly detail: string
}

/** What a body uses, and what the kernel counted of it where it counts. */
export interface BodyUse extends ProcessUse {
  readonly counts: GroupCounts | undefined
}

/** What a plugin's side runs in: a worker or a process, from the moment it is made until nothing of it runs. */
export interface GuestBody {
  readonly pid: number
  readonly output: PluginOutput
  /** Why it ended, as far as it tells by itself; settles once, never rejects. */
  readonly ended: Promise<ExitCause>
  /** The way to the guest; asked for once, when the body gets its plugin. */
  readonly openChannel: () => Channel
  /** The host's end of its way to the network, where it has one. */
  readonly egress?: Duplex | undefined
  /** What it uses, seen from outside; absent where the host's own use cannot be told from it. */
  readonly measure?: () => Promise<BodyUse>
  /** Profiles it from outside; absent where only the guest itself can. */
  readonly profile?: (kind: ProfileKind, options: ProfileOptions) => AsyncIterable<Uint8Array> | undefined
  /** Asks it to end, which it may ignore. */
  readonly ask: () => void
  /** Ends it, which it cannot ignore; `why` is then the cause of its end. */
  readonly kill: (why?: KillReason) => void
}
