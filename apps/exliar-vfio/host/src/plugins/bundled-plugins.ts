import { fileURLToPath } from 'node:url'

/** Names of the plugins that ship with the program. */
export const bundledNames: ReadonlySet<string> = new Set(['nvidia-handler', 'amd-reset', 'intel-gvt', 'perf-monitor', 'notifier'])

/** Their folders; a missing one is a defect of the installation and is told as such. */
export function bundledFolders(): readonly { readonly directory: string }[] {
  return [...bundledNames].map((name) => ({
    directory: fileURLToPath(new URL(`../../../plugins/${name}`, import.meta.url)),
  }))
}

/** What is no part of a bundled plugin's package. */
export const bundledIgnore: readonly string[] = ['node_modules/**', 'dist/**', '**/*.test.ts', '**/fixtures/**', 'tsconfig.json']

/** The host's own copies of what plugins import by name. */
export function hostModules(): Readonly<Record<string, string>> {
  const modules = ['@backplane/sdk', '@exliar-vfio/points', 'zod']
  return Object.fromEntries(modules.map((name) => [name, import.meta.resolve(name)]))
}
