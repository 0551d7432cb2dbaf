import { routeLookup, type AccessTable } from '../guard/access.ts'
import { scopes, type Scope } from '../guard/scope.ts'

/** What a request asks for, in the words of an audit log. */
export interface RequestAction {
  /** `plugins.disable`, `tokens.create`; of what no route is for `api.unknown`. */
  readonly action: string
  /** What stands for the parameters of its path, or the path. */
  readonly subject: string
  /** What it needs. */
  readonly scope: Scope
  /** The plugin as the request names it. */
  readonly plugin: string | undefined
}

const verbs: Readonly<Record<string, string>> = { GET: 'read', HEAD: 'read', POST: 'create', PUT: 'replace', DELETE: 'delete' }

/** Finds the action of a request by its method and path. */
export function requestActions(table: AccessTable): (method: string, path: string) => RequestAction {
  const routes = routeLookup(table)
  return (method, path) => {
    const fitting = isReadable(path) ? routes(method, path) : []
    // The one with most words says most: `reload` is no plugin's name.
    const route = fitting.toSorted((one, other) => words(other.path).length - words(one.path).length)[0]
    const scope = scopes.findLast((each) => fitting.some(({ access }) => access.scope === each)) ?? 'admin'
    if (route === undefined) return { action: 'api.unknown', subject: path, scope, plugin: undefined }
    const named = words(route.path)
    const endsInWord = named.length > 1 && !route.path.endsWith('}')
    const action = [...named, ...(endsInWord ? [] : [verbs[method] ?? method.toLowerCase()])].join('.')
    const parameters = route.parameters.map(decoded)
    const isOfPlugin = route.path.startsWith('/api/plugins/{id}')
    return { action, subject: parameters.join(' ') || path, scope, plugin: isOfPlugin ? parameters[0] : undefined }
  }
}

/** The segments of a path that are no parameters, without `api`. */
function words(path: string): readonly string[] {
  return path.split('/').filter((segment) => segment !== '' && segment !== 'api' && !segment.startsWith('{'))
}

function isReadable(path: string): boolean {
  try {
    return decodeURI(path) !== ''
  } catch {
    return false
  }
}

function decoded(text: string): string {
  try {
    return decodeURIComponent(text)
  } catch {
    return text
  }
}
