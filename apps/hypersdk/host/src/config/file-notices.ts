import { statSync } from 'node:fs'
import { resolve } from 'node:path'
import type { ConfigFile } from './config-schema.ts'
import type { Environment } from './default-places.ts'
import type { ConfigProblem, YamlTree } from './yaml-tree.ts'

/** What a configuration says that has no effect, or none now: worth a line, not a refusal. */
export function fileNotices(
  { plugins, providers }: ConfigFile,
  tree: YamlTree,
  { base, env }: { readonly base: string; readonly env: Environment },
): readonly ConfigProblem[] {
  return [
    ...(plugins.enabled === false ? unusedWhenOff(plugins, tree) : []),
    ...allowedAndDenied(plugins, tree),
    ...notDirectories(plugins, tree, base),
    ...unsetVariables(providers, tree, env),
  ]
}

function unusedWhenOff(plugins: ConfigFile['plugins'], tree: YamlTree): readonly ConfigProblem[] {
  const unused = (['allow', 'directories'] as const).filter((key) => plugins[key] !== undefined)
  return unused.map((key) => tree.problem(['plugins', key], 'has no effect while plugins.enabled is false'))
}

function allowedAndDenied({ enabled, allow, disabled }: ConfigFile['plugins'], tree: YamlTree): readonly ConfigProblem[] {
  const allowed = Array.isArray(enabled) ? enabled : allow
  return disabled.flatMap((name, index) =>
    allowed?.includes(name) === true
      ? [tree.problem(['plugins', 'disabled', index], `${name} is allowed as well, and that wins: it is not disabled`)]
      : [],
  )
}

/** One that is not there yet is fine: it is looked for as long as the daemon runs. */
function notDirectories({ directories = [] }: ConfigFile['plugins'], tree: YamlTree, base: string): readonly ConfigProblem[] {
  return directories.flatMap((path, index) => {
    const absolute = resolve(base, path)
    if (statSync(absolute, { throwIfNoEntry: false })?.isDirectory() !== false) return []
    return [tree.problem(['plugins', 'directories', index], `${absolute} is a file, no directory`)]
  })
}

/** An instance whose variable is missing fails when it is first used, which may be long after the start. */
function unsetVariables(
  value: unknown,
  tree: YamlTree,
  env: Environment,
  path: readonly PropertyKey[] = ['providers'],
): ConfigProblem[] {
  if (typeof value === 'string') {
    const names = [...value.matchAll(/\$\{env:([^}]+)\}/g)].flatMap(([, name = '']) => (env[name] === undefined ? [name] : []))
    return names.map((name) => tree.problem(path, `${name} is not set in the environment of this process`))
  }
  if (typeof value !== 'object' || value === null) return []
  return Object.entries(value).flatMap(([key, item]) => {
    return unsetVariables(item, tree, env, [...path, Array.isArray(value) ? Number(key) : key])
  })
}
