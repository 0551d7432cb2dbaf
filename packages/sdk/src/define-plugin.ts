import type { Logger } from './call.ts'
import type { Directories, Scope, State } from './scope.ts'

/** Marks what {@link definePlugin} made, across copies of this package. */
export const pluginMark: symbol = Symbol.for('backplane.plugin')

/** What a plugin's module exports by default. */
export interface PluginModule<Config = unknown> {
  readonly setup: Setup<Config>
  readonly migrate?: Migrate
}

/** Registers what the plugin fills. The plugin is `active` once the returned promise settles. */
export type Setup<Config> = (scope: Scope<Config>) => void | Promise<void>

/**
 * Brings what an older version stored to this version's `stateVersion`, before `setup` runs. It works on a copy: when it
 * throws, or the new version is taken back later, the old version goes on with what it had.
 */
export type Migrate = (migration: Migration) => void | Promise<void>

/** What {@link Migrate} is given. */
export interface Migration {
  /** `stateVersion` of what is stored; 1 when the manifest named none. */
  readonly from: number
  readonly to: number
  readonly state: State
  readonly directories: Directories
  readonly log: Logger
  /** Aborted when the start is given up. */
  readonly signal: AbortSignal
}

/**
 * Makes a plugin of a setup function: `export default definePlugin(async (scope) => { … })`.
 * Nothing runs until the host has checked the manifest and decided to start it.
 */
export function definePlugin<Config = unknown>(
  setup: Setup<Config>,
  options: { readonly migrate?: Migrate } = {},
): PluginModule<Config> {
  return Object.freeze({ setup, ...options, [pluginMark]: true })
}

/** Whether a module's default export was made by {@link definePlugin} of any copy of this package. */
export function isPluginModule(value: unknown): value is PluginModule {
  return typeof value === 'object' && value !== null && Reflect.get(value, pluginMark) === true
}
