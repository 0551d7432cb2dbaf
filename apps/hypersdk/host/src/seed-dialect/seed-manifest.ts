import { seedErrors } from './errors.ts'
import { fieldsOf, squashedName } from './field-names.ts'

/** The major version of the host API the adapter speaks; what comes after is for a later adapter. */
const apiMajor = 1

/**
 * Translates `PluginInfo` into a manifest. The id is `seed/<name>`, or of `publisher` when there is one;
 * `min_sdk_version` becomes the lower end of the API range; `permissions`, which the seed does not know, are taken over.
 * Errors: `SEED_INFO_INCOMPLETE` naming the field.
 */
export function seedManifest(info: Readonly<Record<string, unknown>>, main: string, path: string): Record<string, unknown> {
  const field = fieldsOf(info)
  const text = (name: string): string | undefined => optionalText(field(name), name, path)
  const name = text('name') ?? missing(path, 'name')
  const type = text('provider_type') ?? missing(path, 'provider_type')
  const permissions = field('permissions')
  return {
    schemaVersion: 1,
    id: `${slug(text('publisher') ?? 'seed', 'publisher', path)}/${slug(name, 'name', path)}`,
    version: version(text('version') ?? missing(path, 'version'), 'version', path),
    ...present({ description: text('description'), author: text('author'), license: text('license') }),
    main,
    requires: { api: apiRange(version(text('min_sdk_version') ?? '1.0.0', 'min_sdk_version', path)) },
    contributes: { 'hypersdk.provider': { [type]: { display_name: name, capabilities: capabilities(field('capabilities')) } } },
    ...present({ permissions, dependencies: dependencies(field('dependencies'), path) }),
  }
}

/** From `least` to the end of a major version: of the one the adapter speaks, or of a later one that is asked for. */
function apiRange(least: string): string {
  return `>=${least} <${Math.max(apiMajor, Number.parseInt(least)) + 1}.0.0`
}

const capabilityNames = [
  'supported_formats',
  'no_export_reason',
  'supports_compression',
  'supports_streaming',
  'supports_snapshots',
  'max_vm_size_gb',
  'supported_targets',
]

function capabilities(given: unknown): Record<string, unknown> {
  const known = new Map(capabilityNames.map((name) => [squashedName(name), name]))
  return Object.fromEntries(Object.entries(Object(given)).map(([key, value]) => [known.get(squashedName(key)) ?? key, value]))
}

/** `"other"`, `"other@^1.0.0"` or `{name, version}`; a bare name is one of the seed's own kind. */
function dependencies(given: unknown, path: string): unknown[] | undefined {
  if (given === undefined) return undefined
  if (!Array.isArray(given)) throw incomplete(path, 'dependencies', 'to be a list')
  return given.map((entry: unknown) => {
    const field = fieldsOf(entry)
    const [name, range] = typeof entry === 'string' ? entry.split('@') : [field('name') ?? field('id'), field('version')]
    if (typeof name !== 'string') throw incomplete(path, 'dependencies', 'to be a list of names')
    return {
      id: name.includes('/') ? name : `seed/${slug(name, 'dependencies', path)}`,
      range: typeof range === 'string' ? range : '*',
    }
  })
}

/** `v1.0` → `1.0.0`: authors of Go tag versions that way. */
function version(given: string, field: string, path: string): string {
  const [, core = '', rest = ''] = /^v?(\d+(?:\.\d+){0,2})([-+].*)?$/.exec(given) ?? []
  if (core === '') throw incomplete(path, field, `to be a version such as 1.0.0, not ${JSON.stringify(given)}`)
  return [...core.split('.'), '0', '0'].slice(0, 3).join('.') + rest
}

function slug(name: string, field: string, path: string): string {
  const made = name
    .toLowerCase()
    .replaceAll(/[^a-z0-9]+/g, '-')
    .replaceAll(/^-+|-+$/g, '')
    .slice(0, 64)
  return made === '' ? missing(path, field) : made
}

function optionalText(value: unknown, field: string, path: string): string | undefined {
  if (value === undefined || typeof value === 'string') return value === '' ? undefined : value
  throw incomplete(path, field, 'to be a text')
}

function missing(path: string, field: string): never {
  throw incomplete(path, field, 'which is missing')
}

function incomplete(path: string, field: string, problem: string): Error {
  return seedErrors.error('SEED_INFO_INCOMPLETE', { path, field, problem })
}

function present(members: Readonly<Record<string, unknown>>): Record<string, unknown> {
  return Object.fromEntries(Object.entries(members).filter(([, value]) => value !== undefined))
}
