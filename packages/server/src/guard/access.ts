import { serverErrors } from '../errors.ts'
import type { Caller } from './caller.ts'
import { includesScope, scopes, type Scope } from './scope.ts'

/** What a route needs. */
export interface Access {
  readonly scope: Scope
  /**
   * The route shows and changes only the plugins its caller's token is for. A token that is for some plugins alone may use
   * no other routes.
   */
  readonly ofPlugins?: true
}

/**
 * What each route needs, by method and path with parameters in braces: `POST /api/plugins/{id}/reload`. A parameter stands
 * for one segment, or for two, because a plugin's id has a slash that may be written as it is. Where several entries fit,
 * the strictest counts; what none fits needs `admin`. HEAD needs what GET needs.
 */
export type AccessTable = Readonly<Record<string, Access>>

/** A route of a table that a request fits. */
export interface FittingRoute {
  /** Its path, with parameters in braces. */
  readonly path: string
  /** What stands for them in the request. */
  readonly parameters: readonly string[]
  readonly access: Access
}

/** Finds the routes that a request fits, by its method and its path as it stood in the request. */
export function routeLookup(table: AccessTable): (method: string, path: string) => readonly FittingRoute[] {
  const routes = Object.entries(table).map(([route, access]) => {
    const [method = '', path = ''] = route.split(' ')
    const literal = path.split(/\{[^}]*\}/).map((part) => part.replaceAll(/[.*+?^${}()|[\]\\]/g, String.raw`\$&`))
    return { method, path, pattern: new RegExp(`^${literal.join('([^/]+(?:/[^/]+)?)')}$`), access }
  })
  return (method, requested) => {
    const wanted = method === 'HEAD' ? 'GET' : method
    // As a router decodes it: `%74okens` is `tokens`, and `%2F` stays no slash.
    const decoded = decodeURI(requested)
    return routes.flatMap(({ method: own, path, pattern, access }) => {
      const match = own === wanted ? pattern.exec(decoded) : null
      return match === null ? [] : [{ path, parameters: match.slice(1), access }]
    })
  }
}

/** Finds what a request needs. */
export function accessLookup(table: AccessTable): (method: string, path: string) => Access {
  const fittingRoutes = routeLookup(table)
  return (method, path) => {
    const fitting = fittingRoutes(method, path).map(({ access }) => access)
    const scope = scopes.findLast((each) => fitting.some((access) => access.scope === each)) ?? 'admin'
    const ofPlugins = fitting.length > 0 && fitting.every((access) => access.ofPlugins === true)
    return ofPlugins ? { scope, ofPlugins } : { scope }
  }
}

/** Refuses a token that allows too little, or that is for some plugins alone where all are meant. */
export function checkAccess({ scope: have, plugins }: Caller, { scope: need, ofPlugins }: Access): void {
  if (!includesScope(have, need)) throw serverErrors.error('SERVER_SCOPE_REFUSED', { have, need })
  if (plugins !== undefined && ofPlugins !== true) {
    throw serverErrors.error('SERVER_PLUGINS_REFUSED', { plugins: plugins.join(', ') })
  }
}

const read: Access = { scope: 'read' }
const readPlugins: Access = { scope: 'read', ofPlugins: true }
const operatePlugins: Access = { scope: 'operate', ofPlugins: true }
const install: Access = { scope: 'install' }
const installPlugins: Access = { scope: 'install', ofPlugins: true }
const adminOfPlugins: Access = { scope: 'admin', ofPlugins: true }
const admin: Access = { scope: 'admin' }

/** What the routes of the management API need. */
export const managementAccess: AccessTable = {
  'GET /healthz': read,
  'GET /readyz': read,
  'GET /metrics': read,
  'GET /openapi.json': read,
  'GET /api/system': read,
  'GET /api/top': readPlugins,
  'GET /api/events': readPlugins,
  'GET /api/plugins': readPlugins,
  'GET /api/plugins/search': readPlugins,
  'GET /api/plugins/stats': readPlugins,
  'GET /api/plugins/{id}': readPlugins,
  'GET /api/plugins/{id}/history': readPlugins,
  'GET /api/plugins/{id}/usage': readPlugins,
  'GET /api/plugins/{id}/why': readPlugins,
  // Of code that is installed already, and nothing that cannot be taken back.
  'POST /api/plugins/{id}/enable': operatePlugins,
  'POST /api/plugins/{id}/disable': operatePlugins,
  'PUT /api/plugins/{id}/enable': operatePlugins,
  'PUT /api/plugins/{id}/disable': operatePlugins,
  'POST /api/plugins/{id}/rollback': operatePlugins,
  'POST /api/plugins/{id}/pin': operatePlugins,
  'POST /api/plugins/{id}/unpin': operatePlugins,
  'POST /api/plugins/{id}/release': operatePlugins,
  // These take in what the sources have now, code that never ran here too; removing forgets what a plugin stored.
  'POST /api/plugins/reload': install,
  'POST /api/plugins/{id}/reload': installPlugins,
  'DELETE /api/plugins/{id}': installPlugins,
  // A heap holds the secrets of a plugin, and so may the names in a profile of the processor.
  'POST /api/plugins/{id}/profile': adminOfPlugins,
  // Asking where packages come from uses the credentials of the host, and fetches what it is told.
  'POST /api/plugins/plan': install,
  'POST /api/plugins/apply': install,
  'POST /api/plugins/install': install,
  'POST /api/plugins/upload': install,
  'GET /api/plugins/outdated': install,
  'GET /api/packages/search': install,
  'POST /api/plugins/{id}/update': installPlugins,
  'GET /api/plugins/builtin': readPlugins,
  'GET /api/plugins/{id}/status': readPlugins,
  'GET /api/plugins/{id}/permissions': readPlugins,
  'GET /api/plugins/{id}/verdict': readPlugins,
  'POST /api/plugins/{id}/approve': installPlugins,
  'POST /api/plugins/{id}/revoke': installPlugins,
  'POST /api/plugins/{id}/withhold': adminOfPlugins,
  'GET /api/grants': read,
  'GET /api/trust': read,
  'GET /api/lock': read,
  'POST /api/lock/verify': read,
  'POST /api/lock/restore': install,
  'POST /api/lock/bundle': install,
  'GET /api/lock/bundles/{digest}': install,
  'POST /api/store/gc': install,
  'GET /api/store/findings': read,
  'POST /api/store/repair': install,
  'GET /api/operations': readPlugins,
  'GET /api/operations/{id}': readPlugins,
  'GET /api/operations/{id}/events': readPlugins,
  // Whoever makes tokens can make one that may do everything; the list tells whom to attack.
  'GET /api/tokens': admin,
  'POST /api/tokens': admin,
  'DELETE /api/tokens/{name}': admin,
  // Only a person who may do everything lets a plugin do what is critical.
  'GET /api/approvals': read,
  'GET /api/approvals/{id}': read,
  'POST /api/approvals/{id}/approve': admin,
  'POST /api/approvals/{id}/deny': admin,
  // It tells whom to attack, and what was noticed of it.
  'GET /api/audit': admin,
  'POST /api/audit/verify': admin,
}
