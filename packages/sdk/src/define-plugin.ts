import type { Scope } from './scope.ts'

/** Marks what {@link definePlugin} made, across copies of this package. */
export const pluginMark: symbol = Symbol.for('backplane.plugin')

/** What a plugin's module exports by default. */
export interface PluginModule<Config = unknown> {
  readonly setup: Setup<Config>
}

/** Registers what the plugin fills. The plugin is `active` once the returned promise settles. */
export type Setup<Config> = (scope: Scope<Config>) => void | Promise<void>

/**
 * Makes a plugin of a setup function: `export default definePlugin(async (scope) => { … })`.
 * Nothing runs until the host has checked the manifest and decided to start it.
 */
export function definePlugin<Config = unknown>(setup: Setup<Config>): PluginModule<Config> {
  return Object.freeze({ setup, [pluginMark]: true })
}

/** Whether a module's default export was made by {@link definePlugin} of any copy of this package. */
export function isPluginModule(value: unknown): value is PluginModule {
  return typeof value === 'object' && value !== null && Reflect.get(value, pluginMark) === true
}
