import { z } from 'zod'
import { didYouMean } from '@backplane/sdk'

/** One thing a value breaks a schema by. */
export interface SchemaProblem {
  readonly path: readonly PropertyKey[]
  readonly message: string
}

/**
 * What is wrong with `value` by `schema`, in the value's order of depth: an unknown key is named together with the
 * nearest key that would be known there.
 */
export function schemaProblems(schema: z.ZodType, error: z.ZodError): readonly SchemaProblem[] {
  const wrongKind = new Set(error.issues.filter(({ code }) => code === 'invalid_type').map(({ path }) => path.join('\0')))
  // A list where a text belongs is no text that is too short as well.
  const telling = error.issues.filter(({ code, path }) => code === 'invalid_type' || !wrongKind.has(path.join('\0')))
  return telling.flatMap((issue) => problemsOf(schema, issue))
}

/** What one broken rule is to whoever wrote the value; a schema's own words are kept. */
export function plainIssue(issue: z.core.$ZodIssue): string {
  const { message } = issue
  if (issue.code === 'too_small' && message.startsWith('Too small: ')) {
    if (issue.origin === 'number' || issue.origin === 'int') return `must be at least ${issue.minimum}`
    if (issue.minimum === 1) return 'must not be empty'
  }
  if (issue.code === 'too_big' && message.startsWith('Too big: ')) {
    if (issue.origin === 'number' || issue.origin === 'int') return `must be at most ${issue.maximum}`
    if (issue.origin === 'string') return `must be at most ${issue.maximum} characters long`
    if (issue.origin === 'array') return `must have at most ${issue.maximum} entries`
  }
  return plain(message)
}

/** Who wrote more of them meant something else altogether. */
const mostUnknownKeys = 20

type Issue = z.core.$ZodIssue

function problemsOf(schema: z.ZodType, issue: Issue): readonly SchemaProblem[] {
  if (issue.code === 'unrecognized_keys') {
    const known = knownKeys(schema, issue.path)
    return issue.keys.slice(0, mostUnknownKeys).map((key) => ({ path: [...issue.path, key], message: unknownKey(key, known) }))
  }
  if (issue.code === 'invalid_key')
    return [{ path: issue.path, message: issue.issues[0]?.message ?? 'this name is not allowed here' }]
  return [{ path: issue.path, message: plainIssue(issue) }]
}

function unknownKey(key: string, known: readonly string[]): string {
  const nearest = didYouMean(key, known)
  if (nearest !== '') return `unknown key${nearest}`
  return known.length === 0 ? 'unknown key' : `unknown key; known are ${known.join(', ')}`
}

/** What people call the kinds of values. */
const kinds: Readonly<Record<string, string>> = {
  object: 'keys with values',
  record: 'keys with values',
  array: 'a list',
  string: 'a text',
  number: 'a number',
  int: 'a whole number',
  boolean: 'true or false',
}

function plain(message: string): string {
  const text = message.replace(/^Invalid (input|option): /, '').replace(/^Too (small|big): /, '')
  const [, choices] = /^expected one of (.+)$/.exec(text) ?? []
  if (choices !== undefined) return `must be one of ${choices.replaceAll('"', '').split('|').join(', ')}`
  const [, expected = '', received = ''] = /^expected (\w+), received (\w+)$/.exec(text) ?? []
  const [wanted, found] = [kinds[expected], kinds[received]]
  if (wanted === undefined) return text
  if (received === 'undefined') return `is missing: give it ${wanted}`
  if (received === 'NaN' || (expected === 'int' && received === 'number')) return `must be ${wanted}`
  if (received === 'null') return `has no value: give it ${wanted}, or leave it out`
  return found === undefined ? text : `must be ${wanted}, not ${found}`
}

type JsonSchema = { readonly [key: string]: unknown }

/** The keys the schema knows at `path`, followed through its JSON Schema form. */
function knownKeys(schema: z.ZodType, path: readonly PropertyKey[]): readonly string[] {
  let here: readonly JsonSchema[] = [z.toJSONSchema(schema, { io: 'input', unrepresentable: 'any', reused: 'inline' })]
  for (const part of path) here = here.flatMap((one) => below(one, part))
  return here.flatMap((one) => alternatives(one)).flatMap((one) => Object.keys(record(one['properties'])))
}

function below(schema: JsonSchema, part: PropertyKey): readonly JsonSchema[] {
  return alternatives(schema).flatMap((one) => {
    if (typeof part === 'number') return [record(one['items'])]
    const properties = record(one['properties'])
    return [record(properties[String(part)] ?? one['additionalProperties'])]
  })
}

function alternatives(schema: JsonSchema): readonly JsonSchema[] {
  const choices = schema['anyOf'] ?? schema['oneOf']
  return Array.isArray(choices) ? choices.flatMap((one) => alternatives(record(one))) : [schema]
}

function record(value: unknown): JsonSchema {
  return typeof value === 'object' && value !== null ? (value as JsonSchema) : {}
}
