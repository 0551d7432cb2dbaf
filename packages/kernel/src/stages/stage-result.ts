import type { Failure, Stage } from '../record.ts'
import { asPlatformError } from '../calls/thrown.ts'

/** What one stage made of one plugin: a value, or a failure that becomes part of its record. */
export type StageResult<T> = { readonly ok: true; readonly value: T } | { readonly ok: false; readonly failure: Failure }

/** A failure of `stage`; whatever was thrown, it gets a code. */
export function failureOf(stage: Stage, thrown: unknown): Failure {
  const { code, message, hint } = asPlatformError(thrown)
  return { stage, code, message, ...(hint === undefined ? {} : { hint }) }
}
