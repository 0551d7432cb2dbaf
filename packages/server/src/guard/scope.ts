import { serverErrors } from '../errors.ts'

/** What a token allows; each includes those before it. */
export type Scope = 'read' | 'operate' | 'admin'

/** Which scope a request needs. */
export type ScopeOf = (method: string, path: string) => Scope

const order: readonly Scope[] = ['read', 'operate', 'admin']

/** Reading needs `read`, changing plugins `admin`, everything else that changes something `operate`. */
export const managementScope: ScopeOf = (method, path) => {
  if (method === 'GET' || method === 'HEAD') return 'read'
  return path === '/api/plugins' || path.startsWith('/api/plugins/') ? 'admin' : 'operate'
}

/** Refuses a token that allows too little. */
export function checkScope(have: Scope, need: Scope): void {
  if (order.indexOf(have) < order.indexOf(need)) throw serverErrors.error('SERVER_SCOPE_REFUSED', { have, need })
}
