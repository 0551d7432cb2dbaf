import type { Finding } from '../subject.ts'

/** Whose output it is, and about what. */
export interface ScannerReading {
  /** Rules of its findings begin with this and a slash. */
  readonly scanner: string
  /** Whether it ended saying that it found something. */
  readonly found: boolean
  /** Paths of the package; a finding about anything else is one about the whole. */
  readonly files: ReadonlySet<string>
}

const severities: ReadonlySet<unknown> = new Set(['info', 'warning', 'danger'])

/**
 * What a scanner printed, line by line. A line of JSON is a finding: `{"rule", "severity", "file", "line", "message", "fix"}`, each
 * of which may be left out; without a severity it is `danger`. When something was found, a line `<file>: <message>` is one as
 * well, as scanners for people print it. A scanner that found something never leaves the list empty.
 */
export function findingsIn(output: string, reading: ScannerReading): readonly Finding[] {
  const lines = output.split(/\r?\n/).filter((line) => line.trim() !== '')
  const findings = lines.flatMap((line) => ofJson(line, reading) ?? (reading.found ? ofText(line, reading) : []))
  if (findings.length > 0 || !reading.found) return findings
  return [findingOf(reading, { message: lines[0] ?? 'found something, and does not say what' })]
}

function ofJson(line: string, reading: ScannerReading): Finding | undefined {
  if (!line.trimStart().startsWith('{')) return undefined
  try {
    return findingOf(reading, JSON.parse(line) as object)
  } catch {
    return undefined
  }
}

function ofText(line: string, reading: ScannerReading): readonly Finding[] {
  const [, path = '', message = ''] = /^(?:\.\/)?([^:]+):\s*(.+)$/.exec(line) ?? []
  return reading.files.has(path) ? [findingOf(reading, { file: path, message })] : []
}

/** What a scanner said of one thing, as a finding; about a file that the package does not have, it is about the whole. */
export function findingOf({ scanner, files }: Pick<ScannerReading, 'scanner' | 'files'>, said: object): Finding {
  const text = (key: string): string | undefined => {
    const value: unknown = Reflect.get(said, key)
    return typeof value === 'string' && value !== '' ? value.slice(0, 1_000) : undefined
  }
  const rule = (text('rule') ?? 'found').toLowerCase().replaceAll(/[^a-z0-9._-]+/g, '-')
  const severity: unknown = Reflect.get(said, 'severity')
  const path = text('file')?.replace(/^\.\//, '')
  const line: unknown = Reflect.get(said, 'line')
  const fix = text('fix')
  return {
    rule: `${scanner}/${rule}`,
    severity: severities.has(severity) ? (severity as Finding['severity']) : 'danger',
    file: path !== undefined && files.has(path) ? path : 'plugin.json',
    ...(typeof line === 'number' && Number.isSafeInteger(line) && line > 0 ? { line } : {}),
    message: text('message') ?? 'found something',
    ...(fix === undefined ? {} : { fix }),
  }
}
