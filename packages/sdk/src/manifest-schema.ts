const id = '^[a-z0-9][a-z0-9-]{0,63}/[a-z0-9][a-z0-9-]{0,63}$'
const point = '^[a-z0-9][a-z0-9-]*(\\.[a-z0-9][a-z0-9-]*)+$'
const name = '^[a-zA-Z0-9][a-zA-Z0-9._-]{0,127}$'
const size = '^[0-9]+(\\.[0-9]+)?(B|KiB|MiB|GiB|TiB|kB|MB|GB|TB)$'
const duration = '^[0-9]+(\\.[0-9]+)?(ms|s|m|h|d)$'
const semver = '^(0|[1-9]\\d*)\\.(0|[1-9]\\d*)\\.(0|[1-9]\\d*)(-[0-9A-Za-z.-]+)?(\\+[0-9A-Za-z.-]+)?$'

/** No longer than what compares versions takes; a length would need help at run time. */
const releaseVersion = semver.replace('^', '^(?!.{257})')

/** Of anything a manifest lists: what is ordered, compared and resolved with others takes the square of it. */
const most = 256

/**
 * JSON Schema 2020-12 of the manifest; published as `plugin.schema.json` beside this package. It uses no keyword that
 * needs run-time help from a validator library, so it can be compiled ahead of time.
 */
export const manifestSchema: Readonly<Record<string, unknown>> = {
  $schema: 'https://json-schema.org/draft/2020-12/schema',
  $id: 'https://backplane.dev/schema/plugin-1.json',
  title: 'Backplane plugin manifest',
  type: 'object',
  additionalProperties: false,
  required: ['schemaVersion', 'id', 'version', 'requires'],
  properties: {
    $schema: { type: 'string' },
    schemaVersion: { const: 1, description: 'Version of this format.' },
    id: { type: 'string', pattern: id, description: 'publisher/name, lower case.' },
    version: { type: 'string', pattern: releaseVersion, description: 'SemVer of the plugin.' },
    description: { type: 'string' },
    author: { type: 'string' },
    license: { type: 'string', description: 'SPDX expression.' },
    homepage: { type: 'string' },
    tags: { type: 'array', maxItems: most, items: { type: 'string' } },
    main: {
      type: 'string',
      pattern: '^(?!/)(?!.*(^|/)\\.\\.(/|$))[^\\\\\\u0000]+$',
      description: 'The module to load, relative to the manifest.',
    },
    requires: {
      type: 'object',
      additionalProperties: false,
      required: ['api'],
      properties: {
        api: { type: 'string', description: 'SemVer range of the host API.' },
        capabilities: {
          type: 'object',
          maxProperties: most,
          propertyNames: { pattern: point },
          additionalProperties: { type: 'string' },
          description: 'What it needs from whichever plugin provides it, then the SemVer range.',
        },
      },
    },
    provides: {
      type: 'object',
      maxProperties: most,
      propertyNames: { pattern: point },
      additionalProperties: { type: 'string', pattern: semver },
      description: 'What other plugins may need from it, then its SemVer.',
    },
    stateVersion: { type: 'integer', minimum: 1 },
    contributes: {
      type: 'object',
      maxProperties: most,
      propertyNames: { pattern: point },
      additionalProperties: {
        type: 'object',
        maxProperties: most,
        propertyNames: { pattern: name },
        additionalProperties: { type: 'object' },
      },
      description: 'Point id, then name, then metadata.',
    },
    dependencies: {
      type: 'array',
      maxItems: most,
      items: {
        type: 'object',
        additionalProperties: false,
        required: ['id', 'range'],
        properties: { id: { type: 'string', pattern: id }, range: { type: 'string' }, optional: { type: 'boolean' } },
      },
    },
    permissions: { type: 'array', maxItems: most, items: { type: 'string', pattern: '^[a-z]+(:[a-z-]+)?( .+)?$' } },
    limits: {
      type: 'object',
      additionalProperties: false,
      properties: {
        memory: { type: 'string', pattern: size },
        cpuPercent: { type: 'number', minimum: 1 },
        processes: { type: 'integer', minimum: 1 },
        openFiles: { type: 'integer', minimum: 1 },
        tmp: { type: 'string', pattern: size },
        data: { type: 'string', pattern: size },
        concurrency: { type: 'integer', minimum: 1 },
        timeout: { type: 'string', pattern: duration },
        state: { type: 'string', pattern: size },
      },
    },
    config: { type: 'object', description: 'JSON Schema 2020-12 of the settings.' },
    runtime: { type: 'array', items: { enum: ['trusted', 'contained', 'confined', 'foreign', 'wasm'] } },
    activation: { enum: ['lazy', 'eager'] },
    criticality: { enum: ['required', 'optional', 'fail-closed'] },
  },
}
