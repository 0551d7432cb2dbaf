import { existsSync } from 'node:fs'
import { fileURLToPath } from 'node:url'

const names = ['disk-images', 'libvirt', 'digitalocean']

/** Ids of the plugins that ship with hypervisord. */
export const bundledPluginIds: ReadonlySet<string> = new Set(names.map((name) => `hypersdk/${name}`))

/** Folders of the plugins that ship with hypervisord; a missing one is a defect of the installation and is told as such. */
export function bundledPluginFolders(): readonly { readonly directory: string }[] {
  return names.map((name) => ({
    directory: fileURLToPath(new URL(`../../../plugins/${name}`, import.meta.url)),
  }))
}

/** What is no part of a bundled plugin's package. */
export const bundledIgnore: readonly string[] = ['node_modules/**', 'dist/**', '**/*.test.ts', '**/fixtures/**', 'tsconfig.json']

/** The host's own copies of what plugins import by name. */
export function hostModules(): Readonly<Record<string, string>> {
  const modules = ['@backplane/sdk', '@hypersdk/points', 'zod']
  return Object.fromEntries(modules.map((name) => [name, import.meta.resolve(name)]))
}

/** Whether the plugin folder is there; for `--validate`. */
export function missingBundledPlugins(): readonly string[] {
  return bundledPluginFolders()
    .map((one) => one.directory)
    .filter((directory) => !existsSync(`${directory}/plugin.json`))
}
