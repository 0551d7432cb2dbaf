import { didYouMean, manifestSchema } from '@backplane/sdk'
import { exliarErrors } from '../errors.ts'
import type { TomlFile } from '../toml/read-toml.ts'
import { handlerName, hookMethods, snakeCase } from './hook-names.ts'
import type { UnreadModule, UsedNames } from './used-names.ts'

/** What is known beside the file. */
export interface TomlManifestParts {
  /** What its module says; where that cannot be read, `hooks` has to say it. */
  readonly used: UsedNames | UnreadModule
  readonly main: string
  /** Names of plugins that ship with the host: a bare name in `[dependencies]` that is among them means that one. */
  readonly bundled: ReadonlySet<string>
}

/** What a `plugin.toml` may say. */
export const tomlKeys = [
  'name',
  'version',
  'description',
  'author',
  'license',
  'homepage',
  'api_version',
  'main',
  'permissions',
  'hooks',
  'dependencies',
  'commands',
  'panels',
  'config',
] as const

/** Publisher of a plugin that names none. */
const localPublisher = 'local'

/**
 * Translates a `plugin.toml` into a manifest. `api_version = "1.2"` means: the same major version, and at least that minor
 * one. Errors: `PLUGIN_TOML_INVALID` naming file, line and what was meant. Source: seed 004, "Building and Packaging
 * Plugins", "Plugin Dependencies", "Plugin Versioning and Compatibility".
 */
export function tomlManifest(toml: TomlFile, { used: read, main, bundled }: TomlManifestParts): Record<string, unknown> {
  const { value } = toml
  for (const key of Object.keys(value)) {
    if (!(tomlKeys as readonly string[]).includes(key))
      throw invalid(toml, [key], `the key ${key} is not known`, didYouMean(key, tomlKeys))
  }
  const text = (key: string): string | undefined => optionalText(toml, [key], value[key])
  const required = (key: string): string => text(key) ?? refuse(invalid(toml, [key], `${key} is missing`))
  const id = idOf(required('name'), localPublisher)
  if (!isManifest('id', id)) {
    throw invalid(toml, ['name'], 'name must be of small letters, digits and hyphens: a name, or publisher/name')
  }
  const version = required('version')
  if (!isManifest('version', version)) {
    throw invalid(toml, ['version'], `version must be three numbers such as "1.0.0", not ${JSON.stringify(version)}`)
  }
  const said = hooksOf(toml)
  if (said === undefined && 'unread' in read) {
    throw invalid(toml, ['hooks'], `hooks is missing, and ${main} cannot be read to find them: ${read.unread}`)
  }
  const used = 'unread' in read ? undefined : read
  const hooks = new Set([...(said ?? []), ...(used?.hooks ?? [])])
  return {
    schemaVersion: 1,
    id,
    version,
    ...present({
      description: text('description'),
      author: text('author'),
      license: text('license'),
      homepage: text('homepage'),
    }),
    main,
    requires: { api: apiRange(toml, required('api_version')) },
    contributes: {
      ...Object.fromEntries([...hooks].map((hook) => [hookMethods[hook] ?? hook, { [handlerName]: {} }])),
      ...(used?.subscribes === true ? { 'exliar.plugin-event': { [handlerName]: {} } } : {}),
      ...described(toml, 'commands', 'exliar.command', (description) => ({ description })),
      ...described(toml, 'panels', 'exliar.panel', (title) => ({ title })),
    },
    ...present({
      permissions: textsOf(toml, 'permissions'),
      dependencies: dependenciesOf(toml, bundled),
      config: configOf(toml),
    }),
  }
}

/** Whether a manifest takes this text for that member. */
function isManifest(member: 'id' | 'version', text: string): boolean {
  const { pattern } = Object(Reflect.get(Object(manifestSchema['properties']), member)) as { readonly pattern?: string }
  return new RegExp(pattern ?? '', 'u').test(text)
}

function idOf(name: string, publisher: string): string {
  return name.includes('/') ? name : `${publisher}/${name}`
}

function apiRange(toml: TomlFile, version: string): string {
  const [, major, minor] = /^(\d+)\.(\d+)$/.exec(version) ?? []
  if (major === undefined || minor === undefined) {
    throw invalid(toml, ['api_version'], `api_version must be two numbers such as "1.0", not ${JSON.stringify(version)}`)
  }
  return `>=${major}.${minor}.0 <${Number(major) + 1}.0.0`
}

function hooksOf(toml: TomlFile): readonly string[] | undefined {
  const known = Object.keys(hookMethods)
  return textsOf(toml, 'hooks')?.map((written, index) => {
    const plain = snakeCase(written)
    const name = plain.startsWith('on_') ? plain : `on_${plain}`
    if (!known.includes(name)) {
      throw invalid(toml, ['hooks', index], `${JSON.stringify(written)} is no hook`, didYouMean(name, known))
    }
    return name
  })
}

function dependenciesOf(toml: TomlFile, bundled: ReadonlySet<string>): unknown[] | undefined {
  const table = tableOf(toml, 'dependencies')
  return table?.map(([name, value]) => {
    const path = ['dependencies', name]
    const id = idOf(name, bundled.has(name) ? 'exliar' : localPublisher)
    if (typeof value === 'string') return { id, range: value }
    const { version, optional, ...rest } = Object(value) as Record<string, unknown>
    const isPlain = typeof version === 'string' && (optional === undefined || typeof optional === 'boolean')
    if (!isPlain || Object.keys(rest).length > 0) {
      throw invalid(toml, path, `a dependency is a range such as ">=1.0.0", or { version = ">=1.0.0", optional = true }`)
    }
    return optional === undefined ? { id, range: version } : { id, range: version, optional }
  })
}

function described(toml: TomlFile, key: string, point: string, metadata: (text: string) => object): Record<string, unknown> {
  const table = tableOf(toml, key)
  if (table === undefined || table.length === 0) return {}
  return {
    [point]: Object.fromEntries(table.map(([name, value]) => [name, metadata(optionalText(toml, [key, name], value) ?? name)])),
  }
}

/** The members of `[config]`, each with its JSON Schema, as one schema. */
function configOf(toml: TomlFile): unknown {
  const table = tableOf(toml, 'config')
  if (table === undefined) return undefined
  return { type: 'object', additionalProperties: false, properties: Object.fromEntries(table) }
}

function tableOf(toml: TomlFile, key: string): [string, unknown][] | undefined {
  const value = toml.value[key]
  if (value === undefined) return undefined
  if (typeof value !== 'object' || value === null || Array.isArray(value)) throw invalid(toml, [key], `${key} must be a table`)
  return Object.entries(value)
}

function textsOf(toml: TomlFile, key: string): readonly string[] | undefined {
  const value = toml.value[key]
  if (value === undefined) return undefined
  if (!Array.isArray(value)) throw invalid(toml, [key], `${key} must be a list of texts`)
  return value.map((one: unknown, index) => optionalText(toml, [key, index], one) ?? '')
}

function optionalText(toml: TomlFile, path: readonly (string | number)[], value: unknown): string | undefined {
  if (value === undefined || typeof value === 'string') return value
  throw invalid(toml, path, `${path.join('.')} must be a text`)
}

function invalid(toml: TomlFile, path: readonly (string | number)[], problem: string, suggestion = ''): Error {
  return exliarErrors.error('PLUGIN_TOML_INVALID', { place: toml.locate(path), problem, suggestion })
}

function refuse(error: Error): never {
  throw error
}

function present(members: Readonly<Record<string, unknown>>): Record<string, unknown> {
  return Object.fromEntries(Object.entries(members).filter(([, value]) => value !== undefined))
}
