import { didYouMean } from '@backplane/sdk'
import type { ErrorObject, ValidateFunction } from 'ajv/dist/2020.js'
import { kernelErrors } from './errors.ts'
import { messageOf } from './calls/thrown.ts'
import { pathText, pointerPath } from './calls/validation.ts'
import type { ShapeError } from './shape-check.ts'
import { withinTime } from './within-time.ts'

/** A config schema as text may not be longer: it comes from the plugin. */
const longestSchemaBytes = 256 * 1024

/** What compiling a schema, and checking settings by it, may each hold up the host, ms: a pattern can take for ever. */
const longestCheckMs = 2_000

/** The only dialect of JSON Schema that is read. */
const dialect = 'https://json-schema.org/draft/2020-12/schema'

/**
 * Validates a plugin's settings against the JSON Schema of its manifest and fills in defaults. Answers a new, deeply
 * frozen value. The schema compiler is loaded at the first plugin that has a schema, because loading it takes 100 ms.
 * Errors: `CONFIG_SCHEMA_INVALID`, `CONFIG_INVALID` with file, path and the nearest known name.
 */
export async function checkConfig(
  plugin: string,
  schema: Readonly<Record<string, unknown>> | undefined,
  config: unknown,
  from: (path: readonly (string | number)[]) => string,
): Promise<unknown> {
  const value = structuredClone(config ?? {})
  if (schema === undefined) return freezeDeep(value)
  const validate = await compileConfigSchema(plugin, schema)
  if (
    withinTime(
      longestCheckMs,
      () => validate(value),
      () => refuse(plugin, tooSlow),
    )
  )
    return freezeDeep(value)
  const errors = validate.errors ?? []
  // A name that is misspelled is often why another is missing, and says what was meant.
  const { at, problem } = describe(errors.find(({ keyword }) => keyword === 'additionalProperties') ?? errors[0])
  const path = `$${pathText(at)}`
  throw kernelErrors.error('CONFIG_INVALID', { from: from(at), path, problem }, { plugin, details: { path } })
}

/** The check of a plugin's settings; nothing is fetched for it. Errors: `CONFIG_SCHEMA_INVALID`. */
export async function compileConfigSchema(plugin: string, schema: Readonly<Record<string, unknown>>): Promise<ValidateFunction> {
  if (JSON.stringify(schema).length > longestSchemaBytes) refuse(plugin, `it is longer than ${longestSchemaBytes} bytes`)
  if ((schema['$schema'] ?? dialect) !== dialect) refuse(plugin, `its $schema is not ${dialect}`)
  // With it ajv makes a check that answers later, which would be taken for one that is content.
  if (schema['$async'] !== undefined) refuse(plugin, '$async is no keyword of JSON Schema')
  const [{ Ajv2020 }, { checkSchemaShape }] = await Promise.all([
    import('ajv/dist/2020.js'),
    import('./generated/schema-check.ts'),
  ])
  const compile = (): ValidateFunction => {
    if (!checkSchemaShape(schema)) throw new TypeError(shapeProblem(checkSchemaShape.errors ?? []))
    return new Ajv2020({
      allErrors: true,
      useDefaults: true,
      strict: false,
      validateFormats: false,
      verbose: true,
      // Done above. What ajv brings along for that takes 100 ms to compile.
      validateSchema: false,
    }).compile(schema)
  }
  try {
    return withinTime(longestCheckMs, compile, () => {
      throw new TypeError(tooSlow)
    })
  } catch (error) {
    return refuse(plugin, messageOf(error))
  }
}

const tooSlow = `going by it takes longer than ${longestCheckMs} ms`

function refuse(plugin: string, problem: string): never {
  throw kernelErrors.error('CONFIG_SCHEMA_INVALID', { plugin, problem }, { plugin, details: { path: '$.config' } })
}

function shapeProblem([first]: readonly ShapeError[]): string {
  if (first === undefined) return 'it is no schema'
  const at = `$.config${pathText(pointerPath(first.instancePath))}`
  return `${at} ${first.keyword === 'enum' ? `must be one of ${JSON.stringify(first.params['allowedValues'])}` : first.message}`
}

function describe(error: ErrorObject | undefined): { readonly at: readonly (string | number)[]; readonly problem: string } {
  if (error === undefined) return { at: [], problem: 'is not valid' }
  const at = pointerPath(error.instancePath)
  if (error.keyword === 'additionalProperties') {
    const name = String(error.params['additionalProperty'])
    const known: unknown = (error.parentSchema as { properties?: unknown } | undefined)?.properties
    return { at: [...at, name], problem: `is not a known setting${didYouMean(name, Object.keys(known ?? {}))}` }
  }
  if (error.keyword === 'required') return { at: [...at, String(error.params['missingProperty'])], problem: 'is missing' }
  if (error.keyword === 'enum') return { at, problem: `must be one of ${JSON.stringify(error.params['allowedValues'])}` }
  return { at, problem: error.message ?? 'is not valid' }
}

/** Frozen, because every part of a plugin and of the host sees the same value. */
function freezeDeep(value: unknown): unknown {
  if (typeof value !== 'object' || value === null || ArrayBuffer.isView(value)) return value
  for (const member of Object.values(value)) freezeDeep(member)
  return Object.freeze(value)
}
