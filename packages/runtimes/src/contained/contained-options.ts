import type { HostModules } from '../guest/module-map.ts'
import type { OutputLimits } from '../output/plugin-output.ts'
import type { ProfileLimits } from '../profile/bounded-profile.ts'

/** How the contained tier is made. */
export interface ContainedOptions {
  /** The host's copies of modules that plugins import by name: bare specifier → file URL. */
  readonly modules?: HostModules
  /** Threads started ahead. Default 0. Only plugins with exactly `memoryMiB` (default 256) as limit find one. */
  readonly pool?: { readonly size: number; readonly memoryMiB?: number }
  /**
   * Longest a plugin's event loop may stand still once a call to it was cancelled or ran out of time, ms; then it is
   * ended. Default 10,000.
   */
  readonly hangMs?: number
  /** What is taken of a plugin that is profiled. */
  readonly profileLimits?: Partial<ProfileLimits>
  /** How much of what a plugin prints is taken. */
  readonly output?: Partial<OutputLimits>
  /** Parent of the tier's own temporary directory. Default: the system's. */
  readonly temporaryDirectory?: string
}
