import { defineProvider, unary, type Method, type ProviderPoint } from './point.ts'
import type { Schema, SchemaIssue } from './standard-schema.ts'

/** The package that a scanner is opened for. None of it has run. */
export interface ScannedPackage {
  /** `publisher/name`. */
  readonly id: string
  /** SemVer. */
  readonly version: string
  /** Of all its files: `sha256:` and 64 hexadecimal digits. */
  readonly digest: string
}

/** A file of the package, or a piece of one; the pieces of a file come one after another, files in the order of their paths. */
export interface ScannedPiece {
  /** In the package, with a slash. */
  readonly path: string
  /** Of the whole file. */
  readonly sizeBytes: number
  /** Where the piece begins, bytes; the last one ends at `sizeBytes`. */
  readonly offset: number
  /** Up to 256 KiB; none of an empty file. The scanner's own from here on. */
  readonly bytes: Uint8Array
}

/** Something that a scanner found. */
export interface ScannerFinding {
  /** Which of the scanner's rules, small letters, digits, dots and dashes: `private-key`. The host puts the scanner's name before it. */
  readonly rule: string
  /** Policies refuse `danger`, and `warning` where they say so. */
  readonly severity: 'info' | 'warning' | 'danger'
  /** Path in the package. */
  readonly file: string
  /** From 1. */
  readonly line?: number
  /** What it is, half a sentence. */
  readonly message: string
  /** What to do about it, one imperative sentence. */
  readonly fix?: string
}

/** Findings of one package; a scanner that answers more has failed. */
export const mostScannerFindings = 1_000

/** Longest text of a finding, characters. */
const mostText = 1_000

type Nothing = Schema<null | undefined>

/** The methods of {@link scanner}. */
export type ScannerMethods = {
  /** Looks at a file, or a piece of one. */
  readonly file: Method<Schema<ScannedPiece>, Nothing, 'unary'>
  /** After the last piece: all that was found. */
  readonly findings: Method<Nothing, Schema<readonly ScannerFinding[]>, 'unary'>
}

/**
 * Looks through packages before they are installed, updated or started, beside the host's own scanner; a host that has this
 * point asks only the plugins its operator named as scanners. Opened once for each package, and closed after its findings. Whatever
 * it fails with, and an answer that is none, refuses the package it was to look at. Source: seed 002 "Security Scanning".
 */
export const scanner: ProviderPoint<ScannerMethods, Schema<ScannedPackage>> = defineProvider(
  'backplane.scanner',
  {
    file: unary(checked<ScannedPiece>(pieceProblem), checked<null | undefined>(somethingProblem)),
    findings: unary(checked<null | undefined>(somethingProblem), checked<readonly ScannerFinding[]>(findingsProblem)),
  },
  {
    title: 'Looks through packages before they are installed and before they start',
    open: checked<ScannedPackage>((value) => textsProblem(value, ['id', 'version', 'digest'])),
  },
)

type Problem = SchemaIssue | undefined

/** Values are passed on as they are. */
function checked<T>(problemOf: (value: unknown) => Problem): Schema<T> {
  return {
    '~standard': {
      version: 1,
      vendor: 'backplane',
      validate: (value) => {
        const problem = problemOf(value)
        return problem === undefined ? { value: value as T } : { issues: [problem] }
      },
    },
  }
}

function somethingProblem(value: unknown): Problem {
  return value === undefined || value === null ? undefined : { message: 'must be nothing' }
}

function pieceProblem(value: unknown): Problem {
  const { sizeBytes, offset, bytes } = Object(value) as Partial<ScannedPiece>
  if (!isCount(sizeBytes)) return { path: ['sizeBytes'], message: 'must be a number of bytes' }
  if (!isCount(offset) || offset > sizeBytes) return { path: ['offset'], message: 'must be a place in the file' }
  if (!(bytes instanceof Uint8Array)) return { path: ['bytes'], message: 'must be bytes' }
  return textsProblem(value, ['path'])
}

function findingsProblem(value: unknown): Problem {
  if (!Array.isArray(value)) return { message: 'must be a list of findings' }
  if (value.length > mostScannerFindings) return { message: `must be at most ${mostScannerFindings} findings` }
  for (const [at, each] of value.entries()) {
    const problem = findingProblem(each)
    if (problem !== undefined) return { ...problem, path: [at, ...(problem.path ?? [])] }
  }
  return undefined
}

const severities: ReadonlySet<unknown> = new Set<ScannerFinding['severity']>(['info', 'warning', 'danger'])

function findingProblem(value: unknown): Problem {
  const { rule, severity, line, fix } = Object(value) as Partial<ScannerFinding>
  if (!severities.has(severity)) return { path: ['severity'], message: 'must be one of info, warning, danger' }
  if (line !== undefined && !(isCount(line) && line > 0)) return { path: ['line'], message: 'must be a line, from 1' }
  const problem = textsProblem(value, ['rule', 'file', 'message', ...(fix === undefined ? [] : ['fix'])])
  if (problem !== undefined) return problem
  return /^[a-z0-9][a-z0-9._-]*$/.test(String(rule))
    ? undefined
    : { path: ['rule'], message: 'must be small letters, digits, . and -' }
}

function textsProblem(value: unknown, keys: readonly string[]): Problem {
  const wrong = keys.find((key) => {
    const text: unknown = Reflect.get(Object(value) as object, key)
    return typeof text !== 'string' || text === '' || text.length > mostText
  })
  return wrong === undefined ? undefined : { path: [wrong], message: `must be a text of 1 to ${mostText} characters` }
}

function isCount(value: unknown): value is number {
  return typeof value === 'number' && Number.isSafeInteger(value) && value >= 0
}
