import type { EgressOptions } from '../egress/egress-options.ts'
import type { HostModules } from '../guest/module-map.ts'
import type { OutputLimits } from '../output/plugin-output.ts'
import type { UidRange } from '../sandbox/service-user.ts'
import type { ProfileLimits } from '../profile/bounded-profile.ts'

/** How the confined tier is made. */
export interface ConfinedOptions {
  /** The host's copies of modules that plugins import by name: bare specifier → file URL. */
  readonly modules?: HostModules
  /**
   * Processes started ahead: `size` for plugins that need no paths of their own, and one for each of the last `size`
   * other sets of paths. Default 0. Only plugins with exactly `memoryMiB` (default 256) as limit find one.
   * For each of the last `size` plugins that were started in a sandbox there is also a sandbox for its next start.
   */
  readonly pool?: { readonly size: number; readonly memoryMiB?: number }
  /**
   * Path of util-linux's `setpriv`, which lets the kernel kill a plugin together with its host; false to do without.
   * Default: where it is found. `enforces` says whether it is there, as `limit:lifetime`.
   */
  readonly setpriv?: string | false
  /**
   * Longest a plugin's event loop may stand still once a call to it was cancelled or ran out of time, ms; then it is
   * ended. Default 10,000.
   */
  readonly hangMs?: number
  /** What is taken of a plugin that is profiled. */
  readonly profileLimits?: Partial<ProfileLimits>
  /**
   * Path of `bwrap` (bubblewrap), which builds the sandbox of plugins whose isolation is `os`; false to do without.
   * Default: where it is found. `enforces` says what can be built, as `sandbox`.
   */
  readonly bwrap?: string | false
  /** False to do without Landlock, which stands in for bubblewrap as the weaker thing it is. Default: where it is there. */
  readonly landlock?: boolean
  /** Users that sandboxed plugins run as when the host is root. Default: 478 from 60,706 on. */
  readonly uids?: UidRange
  /** How plugins reach the network that was granted to them. */
  readonly egress?: EgressOptions
  /** How much of what a plugin prints is taken. */
  readonly output?: Partial<OutputLimits>
  /** Parent of the tier's own temporary directory. Default: the system's. */
  readonly temporaryDirectory?: string
}
