import { randomUUID } from 'node:crypto'
import { STATUS_CODES } from 'node:http'
import type { Log } from '@backplane/kernel'
import { PlatformError, type ErrorCatalogue, type ErrorSpec } from '@backplane/sdk'
import { serverErrors } from './errors.ts'

/** An error as the API answers it: `application/problem+json`. Source: RFC 9457 §3. */
export interface Problem {
  /** Stable per code: programs compare `type` or `code`, never `detail`. */
  readonly type: string
  readonly title: string
  readonly status: number
  readonly detail: string
  readonly code: string
  /** What to do now. */
  readonly hint?: string
  readonly retryable: boolean
  /** What a program that only asked for this ends with, 1 to 125: that of the catalogue. */
  readonly exit: number
  readonly plugin?: string
  readonly point?: string
  /** Of an unexpected failure: what to look for in the server's log. */
  readonly instance?: string
  readonly details?: Readonly<Record<string, unknown>>
}

/** Makes the answer to whatever was thrown. */
export type ProblemResponder = (error: unknown) => Response

/**
 * Makes answers from errors. Status and exit come from the catalogue that has the code; a code in none is a 500. Anything
 * but a {@link PlatformError} is answered with a fixed text and written to the log, so that no stack, path or secret of
 * the host leaves it. Causes are never shown; `details` only where the fault is the caller's (below 500).
 */
export function problemResponder(catalogues: readonly ErrorCatalogue[], log?: Log): ProblemResponder {
  const kinds = new Map<string, ProblemKind>()
  for (const { specs } of [serverErrors, ...catalogues]) {
    for (const [code, spec] of Object.entries(specs)) kinds.set(code, spec)
  }
  return (error) => {
    const known = error instanceof PlatformError ? error : unexpected(error, log)
    return problemResponse(known, kinds.get(known.code) ?? serverErrors.specs.SERVER_INTERNAL)
  }
}

/** What a catalogue says of a code. */
export type ProblemKind = Pick<ErrorSpec, 'status' | 'exit'>

/** The answer for one error of a kind that is already known. */
export function problemResponse(error: PlatformError, kind: ProblemKind): Response {
  const { status } = kind
  const retryAfter = error.details?.['seconds']
  const allow = error.details?.['allow']
  return new Response(problemJson(error, kind), {
    status,
    headers: {
      'content-type': 'application/problem+json',
      'cache-control': 'no-store',
      ...(status === 401 ? { 'www-authenticate': 'Bearer' } : {}),
      ...(status === 429 && typeof retryAfter === 'number' ? { 'retry-after': String(retryAfter) } : {}),
      ...(status === 405 && typeof allow === 'string' ? { allow } : {}),
    },
  })
}

/** The body of the answer. */
export function problemJson(error: PlatformError, { status, exit }: ProblemKind): string {
  const instance = error.details?.['instance']
  const problem: Problem = {
    type: `https://backplane.dev/errors/${error.code}`,
    title: STATUS_CODES[status] ?? 'Error',
    status,
    detail: error.message,
    code: error.code,
    ...(error.hint === undefined ? {} : { hint: error.hint }),
    retryable: error.retryable,
    exit,
    ...(error.plugin === undefined ? {} : { plugin: error.plugin }),
    ...(error.point === undefined ? {} : { point: error.point }),
    ...(typeof instance === 'string' ? { instance } : {}),
    ...(error.details === undefined || status >= 500 ? {} : { details: error.details }),
  }
  return JSON.stringify(problem)
}

function unexpected(error: unknown, log: Log | undefined): PlatformError {
  const instance = `urn:uuid:${randomUUID()}`
  log?.write({
    level: 'error',
    message: 'A request failed unexpectedly',
    fields: { instance, error: error instanceof Error ? (error.stack ?? error.message) : String(error) },
  })
  return serverErrors.error('SERVER_INTERNAL', { instance }, { details: { instance } })
}
