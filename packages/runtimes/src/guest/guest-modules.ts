import { provideModules, type HostModules } from './module-map.ts'

/** The modules a guest in a thread or process of its own is given by its host. */
export interface GuestModules {
  readonly modules: HostModules
  /** Whether to import them before a plugin needs them; one that fails is left to the plugin that wants it. */
  readonly preload: boolean
}

/** Provides the host's modules to everything in this thread or process. */
export function provideGuestModules({ modules, preload }: GuestModules): void {
  provideModules(modules)
  if (preload) void Promise.allSettled(Object.values(modules).map((url) => import(url)))
}
