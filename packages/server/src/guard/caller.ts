import type { Scope } from './scope.ts'

/** Who sent a request, as the guard found out. */
export interface Caller {
  /** Of the token; `unix socket` for its owner, `anyone` where no token is asked. */
  readonly name: string
  readonly scope: Scope
  /** Ids, or `publisher/*`; undefined means all plugins. */
  readonly plugins?: readonly string[] | undefined
}

/** How a token names plugins: an id, or `publisher/*` for all of one publisher. */
export const pluginFilterPattern = /^[a-z0-9][a-z0-9-]{0,63}\/(?:\*|[a-z0-9][a-z0-9-]{0,63})$/

/** Whether a caller may see and change a plugin; without a guard before it, everybody may. */
export function reaches(caller: Caller | undefined, plugin: string): boolean {
  const patterns = caller?.plugins
  if (patterns === undefined) return true
  return patterns.some((one) => (one.endsWith('/*') ? plugin.startsWith(one.slice(0, -1)) : one === plugin))
}
