import type { Enforcement, Runtime } from '@backplane/kernel'
import { runtimeErrors } from '../errors.ts'
import { provideModules, type HostModules } from '../guest/module-map.ts'
import { startGuest } from '../guest/start-guest.ts'
import { readyDeadline } from '../ready-deadline.ts'
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
export function trusted(options: TrustedOptions = {}): Runtime {
  const running = new Set<TrustedInstance>()
  let disposed = false

  const start: Runtime['start'] = async (request, host, signal) => {
    const plugin = request.plugin.id
    if (disposed) throw runtimeErrors.error('RUNTIME_DISPOSED', { tier: 'trusted' }, { plugin })
    if (request.code.kind === 'files') provideModules(options.modules ?? {}, request.code.directory)
    using deadline = readyDeadline(request, signal)
    const guest = await startGuest(request, host, deadline.signal)
    const instance = new TrustedInstance(plugin, guest)
    running.add(instance)
    void instance.exited.then(() => running.delete(instance))
    if (disposed) await instance.stop(0)
    return instance
  }

  return {
    tier: 'trusted',
    enforces: () => unenforced,
    start,
    [Symbol.asyncDispose]: async () => {
      disposed = true
      await Promise.all([...running].map((instance) => instance.stop(0)))
    },
  }
}

const unenforced: readonly Enforcement[] = ['fs:read', 'fs:write', 'exec', 'net:connect', 'limit:memory'].map((what) => ({
  what,
  level: 'none',
  mechanism: 'same process as the host',
}))
