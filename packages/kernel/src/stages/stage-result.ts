import { PlatformError } from '@backplane/sdk'
import { asError } from '../call-error.ts'
import type { Failure, Stage } from '../record.ts'

/** What one stage made of one plugin: a value, or a failure that becomes part of its record. */
export type StageResult<T> = { readonly ok: true; readonly value: T } | { readonly ok: false; readonly failure: Failure }

/** A failure of `stage`; whatever was thrown, it gets a code. */
export function failureOf(stage: Stage, thrown: unknown): Failure {
  const error = asError(thrown)
  if (error instanceof PlatformError) {
    return { stage, code: error.code, message: error.message, ...(error.hint === undefined ? {} : { hint: error.hint }) }
  }
  const json = new PlatformError('', '', { cause: error }).toJSON().cause
  return { stage, code: json?.code ?? 'INTERNAL', message: json?.message ?? String(error) }
}

/** Runs the work of one stage; what it throws is its failure. */
export function inStage<T>(stage: Stage, work: () => T): StageResult<T> {
  try {
    return { ok: true, value: work() }
  } catch (error) {
    return { ok: false, failure: failureOf(stage, error) }
  }
}
