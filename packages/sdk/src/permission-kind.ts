/** How much harm a plugin could do with a permission. */
export type PermissionRisk = 'low' | 'medium' | 'high'

/**
 * A permission of the host's own, beside those every host knows (`fs:read`, `fs:write`, `exec`, `net:connect`). It has no
 * argument: the points and methods that name it are what it opens.
 */
export interface PermissionKind {
  /** What it allows, to be read after "It may": `change the configuration of virtual machines`. */
  readonly sentence: string
  readonly risk: PermissionRisk
  /** Why the risk is that, as the rest of a sentence. */
  readonly reason: string
}

/** Permissions by name: `area:verb`, lower case. */
export type PermissionVocabulary = Readonly<Record<string, PermissionKind>>
