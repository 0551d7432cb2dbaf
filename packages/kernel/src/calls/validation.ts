import type { Schema, SchemaIssue, SchemaResult } from '@backplane/sdk'
import { kernelErrors } from '../errors.ts'
import { messageOf } from './thrown.ts'

/** Validates one value at once; a schema that throws is a value that does not fit. */
export type Validate = (value: unknown) => SchemaResult<unknown>

/**
 * Takes the validate function out of a schema, once, when a kernel is made. `part` names it in messages.
 * Errors: `POINT_SCHEMA_ASYNC` when the schema answers with a promise — at once where that shows on an empty value, else
 * at the first value that reaches the asynchronous check.
 */
export function validatorOf(schema: Schema, point: string, part: string): Validate {
  const standard = schema['~standard']
  const validate: Validate = (value) => {
    let result: SchemaResult<unknown> | Promise<SchemaResult<unknown>>
    try {
      result = standard.validate(value)
    } catch (error) {
      return { issues: [{ message: `could not be checked: ${messageOf(error)}` }] }
    }
    if (!(result instanceof Promise)) return result
    result.catch(() => undefined)
    throw kernelErrors.error('POINT_SCHEMA_ASYNC', { point, part }, { point })
  }
  validate(undefined)
  return validate
}

/** The first issue as `path` (`$.a[0]`, `$` for the value itself) and what is wrong there. */
export function firstIssue(issues: readonly SchemaIssue[]): { readonly path: string; readonly problem: string } {
  const issue = issues[0]
  return { path: `$${pathText(issue?.path ?? [])}`, problem: issue?.message ?? 'is not valid' }
}

/** `.a["b c"][0]` for a Standard Schema path. */
export function pathText(path: NonNullable<SchemaIssue['path']>): string {
  let text = ''
  for (const segment of path) {
    const key = typeof segment === 'object' ? segment.key : segment
    if (typeof key === 'number') text += `[${key}]`
    else text += /^[A-Za-z_]\w*$/.test(String(key)) ? `.${String(key)}` : `[${JSON.stringify(String(key))}]`
  }
  return text
}

/** The same form for a JSON pointer (`/a/0/b`): what ajv reports. */
export function pointerText(pointer: string, root = '$'): string {
  return root + pathText(pointerPath(pointer))
}

/** The segments of a JSON pointer. */
export function pointerPath(pointer: string): readonly (string | number)[] {
  const keys = pointer.split('/').slice(1)
  return keys.map((key) => (/^\d+$/.test(key) ? Number(key) : key.replaceAll('~1', '/').replaceAll('~0', '~')))
}
