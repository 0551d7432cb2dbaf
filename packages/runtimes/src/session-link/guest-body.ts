import type { ExitCause } from '@backplane/kernel'
import type { Channel } from '@backplane/rpc'
import type { PluginOutput } from '../output/plugin-output.ts'

/** What a plugin's side runs in: a worker or a process, from the moment it is made until nothing of it runs. */
export interface GuestBody {
  readonly pid: number
  readonly output: PluginOutput
  /** Why it ended, as far as it tells by itself; settles once, never rejects. */
  readonly ended: Promise<ExitCause>
  /** The way to the guest; asked for once, when the body gets its plugin. */
  readonly openChannel: () => Channel
  /** Asks it to end, which it may ignore. */
  readonly ask: () => void
  /** Ends it, which it cannot ignore. */
  readonly kill: () => void
}
