import type { Peer } from '../handler.ts'
import type { InstallWork } from './plugin-installs.ts'

/** What of a request's context work needs. */
export interface WorkContext {
  readonly req: { readonly raw: Request }
  readonly env: Peer
}

/** Work that ends with its request, unless that lets it go on. */
export function workOf({ req, env }: WorkContext): InstallWork {
  return { signal: req.raw.signal, onProgress: env.onProgress, by: env.caller?.name }
}
