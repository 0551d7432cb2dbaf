import { serverErrors } from '../errors.ts'

/** What a token allows; each includes those before it. */
export type Scope = 'read' | 'operate' | 'admin'

/** Which scope a request needs. */
export type ScopeOf = (method: string, path: string) => Scope

const order: readonly Scope[] = ['read', 'operate', 'admin']

/** What an operator does with plugins that are there: no other code comes to run than what was installed before. */
const operations = /^\/api\/plugins\/.+\/(?:rollback|pin|unpin|release)$/

/**
 * Reading needs `read`, choosing among the versions of a plugin and releasing it `operate`, changing plugins otherwise
 * `admin`, and so does profiling them: a heap holds secrets. Everything else that changes something needs `operate`.
 */
export const managementScope: ScopeOf = (method, path) => {
  if (method === 'GET' || method === 'HEAD') return 'read'
  if (method === 'POST' && operations.test(path)) return 'operate'
  return path === '/api/plugins' || path.startsWith('/api/plugins/') ? 'admin' : 'operate'
}

/** Refuses a token that allows too little. */
export function checkScope(have: Scope, need: Scope): void {
  if (order.indexOf(have) < order.indexOf(need)) throw serverErrors.error('SERVER_SCOPE_REFUSED', { have, need })
}
