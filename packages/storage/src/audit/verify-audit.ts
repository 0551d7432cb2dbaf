import type { AuditProblem, AuditRecord, AuditReport } from '@backplane/kernel'
import { chainStart, readLine, type ChainPlace } from './audit-chain.ts'
import { auditLines, type AuditFile, type AuditLine } from './audit-files.ts'

/** What a log is checked against beside itself. */
export interface AuditExpectation {
  /** Without it, whoever can write the files can write records that look right. */
  readonly key?: Uint8Array | undefined
  /** Where the log must reach at least, and what its digest must be there: what the host keeps elsewhere, or was printed. */
  readonly head?: ChainPlace | undefined
  /** What the first record must follow; default: whatever it says. */
  readonly from?: ChainPlace | undefined
  /** Nothing after this record is looked at. */
  readonly until?: number | undefined
}

const mostProblems = 100

/** Reads a log from its beginning and names what is not as its host wrote it. Its cost is that of reading and hashing it. */
export async function verifyAudit(files: readonly AuditFile[], expected: AuditExpectation = {}): Promise<AuditReport> {
  const check = new ChainCheck(expected)
  for (const [at, file] of files.entries()) {
    for await (const lines of auditLines(file.path)) {
      for (const line of lines) if (!check.line(file, line, at === files.length - 1)) return check.report(file)
    }
  }
  return check.report(files.at(-1))
}

class ChainCheck {
  readonly #expected: AuditExpectation
  readonly #problems: AuditProblem[] = []
  /** Ranges of numbers that were jumped over. */
  #missing: { first: number; last: number; readonly file: string; readonly line: number }[] = []
  #records = 0
  #first = 0
  #tornBytes = 0
  /** `digest` is undefined behind a line that could not be read. */
  #last: { readonly seq: number; readonly digest: string | undefined } | undefined
  #headDigest: string | undefined

  constructor(expected: AuditExpectation) {
    this.#expected = expected
    this.#last = expected.from
  }

  /** False once nothing more is to be looked at. */
  line(file: AuditFile, line: AuditLine, isLastFile: boolean): boolean {
    const at = { file: file.path, line: line.number }
    if (!line.ended && isLastFile) {
      this.#tornBytes += line.sizeBytes
      return true
    }
    // What something stands behind was not being written at the end.
    if (this.#tornBytes > 0) this.#nonsense(file, at)
    this.#tornBytes = 0
    const read = readLine(line.text, this.#expected.key)
    if (read.kind === 'nonsense') {
      this.#nonsense(file, at)
      return true
    }
    const { record } = read
    if (record.seq > (this.#expected.until ?? Infinity)) return false
    this.#records += 1
    if (read.kind === 'changed') {
      this.#problem({ kind: 'changed', seq: record.seq, ...at, message: `record ${record.seq} was changed: ${read.what}` })
    }
    this.#place(record, at, read.kind === 'record')
    return true
  }

  report(file: AuditFile | undefined): AuditReport {
    for (const { first, last, ...at } of this.#missing) {
      const which = first === last ? `record ${first} is` : `records ${first} to ${last} are`
      this.#problem({ kind: 'removed', seq: first, ...at, message: `${which} missing` })
    }
    this.#checkHead(file)
    const { key, head } = this.#expected
    return {
      ok: this.#problems.length === 0,
      records: this.#records,
      first: this.#first,
      last: this.#records === 0 ? 0 : (this.#last?.seq ?? 0),
      digest: this.#last?.digest ?? '',
      checked: { key: key !== undefined, head: head !== undefined },
      tornBytes: this.#tornBytes,
      problems: this.#problems,
    }
  }

  /** Looks at a record's number, and at what it says it follows. */
  #place(record: AuditRecord, at: { readonly file: string; readonly line: number }, isGenuine: boolean): void {
    const { seq, prev, digest } = record
    if (seq === this.#expected.head?.seq) this.#headDigest = digest
    const last = this.#last ?? (seq === 1 ? chainStart : { seq: seq - 1, digest: undefined })
    if (this.#records === 1) this.#first = seq
    if (seq <= last.seq) {
      this.#outOfPlace(seq, at)
      return
    }
    if (seq > last.seq + 1) this.#missing.push({ first: last.seq + 1, last: seq - 1, ...at })
    else if (last.digest !== undefined && prev !== last.digest && isGenuine) {
      const message = `record ${seq} does not follow record ${last.seq} as it stands here: one of them was replaced`
      this.#problem({ kind: 'changed', seq, ...at, message })
    }
    this.#last = { seq, digest: isGenuine ? digest : undefined }
  }

  #outOfPlace(seq: number, at: { readonly file: string; readonly line: number }): void {
    const range = this.#missing.find(({ first, last }) => seq >= first && seq <= last)
    if (range === undefined) {
      this.#problem({ kind: 'inserted', seq, ...at, message: `a second record ${seq} was put in here` })
      return
    }
    this.#problem({ kind: 'reordered', seq, ...at, message: `record ${seq} stands behind record ${this.#last?.seq}` })
    const parts = [
      { ...range, last: seq - 1 },
      { ...range, first: seq + 1 },
    ].filter(({ first, last }) => first <= last)
    this.#missing = [...this.#missing.filter((one) => one !== range), ...parts]
  }

  #checkHead(file: AuditFile | undefined): void {
    const { head } = this.#expected
    if (head === undefined || head.seq === 0) return
    const at = { file: file?.path ?? '', line: 0 }
    const last = this.#last?.seq ?? 0
    if (last < head.seq) {
      const message = `the log went on to record ${head.seq}; records ${last + 1} to ${head.seq} were taken off its end`
      this.#problem({ kind: 'truncated', seq: last + 1, ...at, message })
    } else if (this.#headDigest !== head.digest && this.#first <= head.seq) {
      const message = `record ${head.seq} has another digest than was noted elsewhere: it, or one before it, was rewritten`
      this.#problem({ kind: 'changed', seq: head.seq, ...at, message })
    }
  }

  #nonsense(file: AuditFile, at: { readonly file: string; readonly line: number }): void {
    const seq = this.#next(file)
    this.#problem({ kind: 'changed', seq, ...at, message: `record ${seq} should stand here; the line is no record` })
    this.#last = { seq, digest: undefined }
  }

  #next({ first }: AuditFile): number {
    return this.#last === undefined ? Math.max(1, first) : this.#last.seq + 1
  }

  #problem(problem: AuditProblem): void {
    if (this.#problems.length < mostProblems) this.#problems.push(problem)
  }
}
