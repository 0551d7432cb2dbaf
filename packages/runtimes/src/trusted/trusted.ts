import type { Enforcement, Runtime } from '@backplane/kernel'
import { provideModules, type HostModules } from '../guest/module-map.ts'
import { startGuest } from '../guest/start-guest.ts'
import { trackedRuntime } from '../tracked-runtime.ts'
import { TrustedInstance } from './trusted-instance.ts'

/** How the trusted tier is made. */
export interface TrustedOptions {
  /** The host's copies of modules that plugins import by name: bare specifier → file URL. */
  readonly modules?: HostModules
}

/**
 * The tier without a boundary: the plugin is imported into the host's own process. For code that ships with the host or
 * that the operator trusts like it: an endless loop or `process.exit` in it is the host's own, its standard output is the
 * host's, and a setup that never ends is given up, not killed. Nothing can be enforced.
 * Lifetime: an import cannot be undone. New bytes are new modules, kept in memory until the process ends; a second start
 * from the same directory runs `setup` of the same modules again.
 */
export function trusted({ modules = {} }: TrustedOptions = {}): Runtime {
  return trackedRuntime({
    tier: 'trusted',
    enforces: () => unenforced,
    launch: async (request, host, signal) => {
      if (request.code.kind === 'files') provideModules(modules, request.code.directory)
      return new TrustedInstance(request.plugin.id, await startGuest(request, host, signal))
    },
    [Symbol.asyncDispose]: () => Promise.resolve(),
  })
}

const unenforced: readonly Enforcement[] = ['fs:read', 'fs:write', 'exec', 'net:connect', 'limit:memory'].map((what) => ({
  what,
  level: 'none',
  mechanism: 'same process as the host',
}))
