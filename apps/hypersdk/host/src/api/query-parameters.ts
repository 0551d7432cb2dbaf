import type { PlatformError } from '@backplane/sdk'
import type { z } from 'zod'
import { pathText } from '../config/yaml-tree.ts'
import { hypersdkErrors } from '../errors.ts'
import { schemaProblems } from '../schema-problems.ts'

/**
 * Checks input from outside by a strict schema. Errors: `REQUEST_INVALID` naming each field, an unknown one with the
 * nearest known name.
 */
export function checkInput<T extends z.ZodType>(schema: T, value: unknown): z.output<T> {
  const parsed = schema.safeParse(value)
  if (parsed.success) return parsed.data
  const problems = schemaProblems(schema, parsed.error).map(({ path, message }) =>
    path.length === 0 ? message : `${pathText(path)}: ${message}`,
  )
  throw hypersdkErrors.error('REQUEST_INVALID', { first: problems.join('; ') }, { details: { problems } })
}

/**
 * Query parameters as an object: one given several times becomes a list, `tag.k=v` an entry of `tags`. Numbers are read
 * where `numbers` names them. Errors: `REQUEST_INVALID` for tags that are spelled another way, and for a key that nothing can be kept under.
 */
export function queryObject(query: URLSearchParams, numbers: readonly string[] = []): Record<string, unknown> {
  const result: Record<string, unknown> = {}
  const tags: Record<string, string> = {}
  for (const key of new Set(query.keys())) {
    const values = query.getAll(key)
    if (/^tags(?:$|[.[])/.test(key)) throw refused(`${key}: write each tag as tag.<key>=<value>`)
    // Nothing would be kept of it, and a filter that is lost lists what was not asked for.
    if (/^(?:tag\.)?__proto__$/.test(key)) throw refused(`${key}: this cannot be a key`)
    if (key.startsWith('tag.')) tags[key.slice(4)] = values.at(-1) ?? ''
    else if (numbers.includes(key)) result[key] = values[0]?.trim() === '' ? Number.NaN : Number(values[0])
    else result[key] = values.length === 1 ? values[0] : values
  }
  return Object.keys(tags).length === 0 ? result : { ...result, tags }
}

function refused(problem: string): PlatformError {
  return hypersdkErrors.error('REQUEST_INVALID', { first: problem }, { details: { problems: [problem] } })
}
