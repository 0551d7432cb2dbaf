/*
 * What plugins really use of what they were granted, and the least they could be granted. Data, from which an operator decides.
 */

/** What a use is of: a file, a program, a place of the network, or a permission of the host's own. */
export type UseVerb = 'fs:read' | 'fs:write' | 'exec' | 'net:connect' | 'host'

/** One use of something that was granted and that a tier keeps; permissions of the host's own the kernel sees itself. */
export interface Use {
  readonly verb: Exclude<UseVerb, 'host'>
  /** An absolute path, a program by name, or `host:port`. */
  readonly what: string
  /** Whose word it is: the host saw it, or what runs the plugin says so, which the plugin can make up or keep to itself. */
  readonly by: 'plugin' | 'host'
}

/** What is known of the use of one permission. */
export interface PermissionUse {
  /** At least so often: what a plugin says of itself is told in bulk. */
  readonly count: number
  /** Milliseconds since the epoch. */
  readonly firstMs: number
  readonly lastMs: number
  readonly by: 'plugin' | 'host'
  /** Paths or places that were seen, sorted, 64 at most; of more paths the directory that holds them all. */
  readonly seen: readonly string[]
  /** False when there were more than `seen` tells. */
  readonly isWhole: boolean
}

/** One permission of a manifest, and what became of it. */
export interface UsedPermission {
  /** As the manifest writes it. */
  readonly permission: string
  /** Since when this host watches the use of it without a break, ms since the epoch; undefined: it does not. */
  readonly watchedSinceMs: number | undefined
  /** Undefined when no use was seen. */
  readonly used: PermissionUse | undefined
  /** Why it does not. */
  readonly unknown: string | undefined
  readonly isWithheld: boolean
  /** A point that the plugin fills and that takes the permission: without it nothing of the plugin runs. */
  readonly neededFor: string | undefined
  /** What it opens here, with its places filled; empty before the first start. */
  readonly opens: readonly string[]
}

/** What one version of a plugin used. */
export interface PluginUses {
  readonly id: string
  readonly version: string
  /** Whether it runs in audit mode, and if it was to and does not, why. */
  readonly audit: AuditMode | undefined
  /** In the order of the manifest. */
  readonly permissions: readonly UsedPermission[]
}

/** Whether a plugin that was to run in audit mode does: its uses are told one by one. */
export type AuditMode = { readonly isOn: true } | { readonly isOn: false; readonly reason: string }

/** The least that a plugin could be granted, as far as its use was seen. Each permission is in one of the lists. */
export interface LeastGrant {
  /** Used, or needed for a point it fills. */
  readonly used: readonly string[]
  /** Nobody can say; kept, because what was not watched may be needed. */
  readonly unknown: readonly string[]
  /** Watched all the time and not used; or withheld already. */
  readonly unused: readonly string[]
  /** For those that were used for less than they open: what a manifest could ask for instead. */
  readonly narrower: Readonly<Record<string, readonly string[]>>
}
