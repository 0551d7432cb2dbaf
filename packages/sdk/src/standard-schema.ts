/**
 * The part of the Standard Schema v1 interface this platform reads, so that an author may write points with zod,
 * valibot, arktype or by hand, and the SDK depends on none of them.
 *
 * Validation must be synchronous: a schema whose `validate` returns a promise is refused when the point is defined
 * into a kernel (`POINT_SCHEMA_ASYNC`), because every call pays for it.
 * Source: Standard Schema specification 1.1 (standardschema.dev).
 */
export interface Schema<Input = unknown, Output = Input> {
  readonly '~standard': {
    readonly version: 1
    readonly vendor: string
    readonly validate: (value: unknown) => SchemaResult<Output> | Promise<SchemaResult<Output>>
    readonly types?: { readonly input: Input; readonly output: Output } | undefined
  }
}

/** What `validate` answers: a value, or the issues found. */
export type SchemaResult<Output> =
  | { readonly value: Output; readonly issues?: undefined }
  | { readonly issues: readonly SchemaIssue[] }

/** One thing wrong with a value; `path` leads from the value's root to the place. */
export interface SchemaIssue {
  readonly message: string
  readonly path?: readonly (PropertyKey | { readonly key: PropertyKey })[] | undefined
}

/** The type a caller may pass in. */
export type InputOf<S extends Schema> = NonNullable<S['~standard']['types']>['input']

/** The type that comes out after validation (defaults filled in, coercions done). */
export type OutputOf<S extends Schema> = NonNullable<S['~standard']['types']>['output']

/** A schema that accepts every value: for methods without input or without output. */
export const anything: Schema = {
  '~standard': { version: 1, vendor: 'backplane', validate: (value) => ({ value }) },
}
