/** What is wrong with one place of a value. Source: ajv's `ErrorObject`. */
export interface ShapeError {
  /** JSON pointer into the value. */
  readonly instancePath: string
  readonly schemaPath: string
  readonly keyword: string
  readonly params: Readonly<Record<string, unknown>>
  readonly message: string
}

/** A JSON Schema compiled ahead: answers whether a value fits; the errors of the last call are on the function. */
export interface ShapeCheck {
  (data: unknown): boolean
  readonly errors: readonly ShapeError[] | null
}
