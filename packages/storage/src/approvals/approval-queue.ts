import { resolve } from 'node:path'
import type { DatabaseSync, SQLOutputValue, StatementSync } from 'node:sqlite'
import type {
  ApprovalAnswer,
  ApprovalBook,
  ApprovalDesk,
  ApprovalEntry,
  ApprovalQuery,
  ApprovalRequest,
  ApprovalState,
} from '@backplane/kernel'
import { storageErrors } from '../errors.ts'
import { openDatabase, type DatabaseOptions } from '../open-database.ts'
import { placeGuard } from '../place-guard.ts'
import { isRunning, processMark } from '../process-mark.ts'
import { sqliteFailure } from '../sqlite-failure.ts'
import { approvalFormat, approvalQueries } from './approval-format.ts'

/** How questions are kept. */
export interface ApprovalQueueOptions extends DatabaseOptions {
  /** Open questions of one plugin. Default 16. */
  readonly pendingPerPlugin?: number
  /** Open questions in all. Default 256. */
  readonly pending?: number
  /** Questions of one plugin in a minute, also those it gave up. Default 30. */
  readonly asksPerMinute?: number
  /** Closed questions kept. Default 1 000. */
  readonly kept?: number
  /** Takes the values of secrets out of a text. */
  readonly redact?: (text: string) => string
  /** Milliseconds since the epoch. Default `Date.now`. */
  readonly now?: () => number
  /** Who waits for the answers, by {@link processMark}. Default: this process. */
  readonly process?: string
}

/** Where questions wait until somebody who looks after the host decides them. */
export interface ApprovalQueue extends ApprovalDesk, ApprovalBook, Disposable {
  /** What was left open by processes that have ended: nobody else tells what became of it. */
  readonly abandoned: readonly ApprovalEntry[]
}

/** Longer inputs are not kept, characters of JSON. */
const longestInput = 16_384
const longestReason = 500
const minuteMs = 60_000

/**
 * Opens (or makes, mode 0600) a durable queue of questions in one SQLite file, or in `:memory:`. A question is on the disk
 * before anybody sees it, a decision before anybody acts on it. What a process that has ended left open is `abandoned`: nobody
 * waits for it any more. Several processes may share a file; only the one that asked can be told an answer. Errors: those of {@link openDatabase} at once; `APPROVALS_FULL`, `APPROVALS_TOO_MANY`,
 * `STORE_FULL`, `STORE_GONE`, `STORE_CLOSED` from its methods.
 */
export function approvalQueue(path: string, options: ApprovalQueueOptions = {}): ApprovalQueue {
  const file = path === ':memory:' ? path : resolve(path)
  const database = openDatabase(file, approvalFormat, options)
  try {
    return new SqliteApprovalQueue(file, database, options)
  } catch (error) {
    database.close()
    throw sqliteFailure(file, error)
  }
}

interface Waiting {
  readonly plugin: string
  readonly answer: PromiseWithResolvers<ApprovalAnswer>
}

class SqliteApprovalQueue implements ApprovalQueue {
  readonly abandoned: readonly ApprovalEntry[]
  readonly #path: string
  readonly #database: DatabaseSync
  readonly #statements: Readonly<Record<keyof typeof approvalQueries, StatementSync>>
  readonly #inPlace: () => void
  readonly #options: Required<Omit<ApprovalQueueOptions, keyof DatabaseOptions>>
  readonly #waiting = new Map<string, Waiting>()
  /** When each plugin asked within the last minute, ms since the epoch. */
  readonly #askedAtMs = new Map<string, readonly number[]>()

  constructor(path: string, database: DatabaseSync, options: ApprovalQueueOptions) {
    this.#path = path
    this.#database = database
    const prepare = (name: keyof typeof approvalQueries): StatementSync => database.prepare(approvalQueries[name])
    this.#statements = {
      insert: prepare('insert'),
      asker: prepare('asker'),
      open: prepare('open'),
      forget: prepare('forget'),
      end: prepare('end'),
      abandon: prepare('abandon'),
      get: prepare('get'),
      list: prepare('list'),
      prune: prepare('prune'),
    }
    this.#inPlace = placeGuard(path)
    const { pendingPerPlugin = 16, pending = 256, asksPerMinute = 30, kept = 1_000 } = options
    const { redact = (text: string) => text, now = Date.now, process = processMark() ?? '' } = options
    this.#options = { pendingPerPlugin, pending, asksPerMinute, kept, redact, now, process }
    this.abandoned = this.#abandonLeft()
  }

  ask(request: ApprovalRequest, signal: AbortSignal): Promise<ApprovalAnswer> {
    signal.throwIfAborted()
    const nowMs = this.#options.now()
    this.#refuseMore(request.plugin, nowMs)
    this.#run(() => this.#insert(request, nowMs))
    const answer = Promise.withResolvers<ApprovalAnswer>()
    this.#waiting.set(request.id, { plugin: request.plugin, answer })
    signal.addEventListener('abort', () => this.#giveUp(request.id, signal), { once: true })
    return answer.promise
  }

  list({ state, plugin, limit }: ApprovalQuery): readonly ApprovalEntry[] {
    return this.#run(() => this.#statements.list.all(state ?? null, plugin ?? null, limit).map(entryOf))
  }

  get(id: string): ApprovalEntry | undefined {
    const row = this.#run(() => this.#statements.get.get(id))
    return row === undefined ? undefined : entryOf(row)
  }

  decide(id: string, { approved, by, reason }: ApprovalAnswer & { readonly by: string }): ReturnType<ApprovalBook['decide']> {
    const waiting = this.#waiting.get(id)
    if (waiting !== undefined) {
      const said = reason === undefined ? undefined : this.#options.redact(reason).slice(0, longestReason)
      const isWritten = this.#end(id, approved ? 'approved' : 'denied', { by, reason: said })
      this.#waiting.delete(id)
      if (isWritten) waiting.answer.resolve({ approved, by, ...(said === undefined ? {} : { reason: said }) })
      // another process took this one for dead: what does not stand there as approved was not
      else waiting.answer.resolve({ approved: false, reason: 'the question was closed meanwhile' })
      return this.#outcome(id, isWritten)
    }
    return this.#outcome(id, false)
  }

  #outcome(id: string, decided: boolean): ReturnType<ApprovalBook['decide']> {
    const entry = this.get(id)
    return entry === undefined ? undefined : { decided, entry }
  }

  [Symbol.dispose](): void {
    if (!this.#database.isOpen) return
    const open = [...this.#waiting.keys()]
    for (const { answer } of this.#waiting.values()) answer.reject(storageErrors.error('STORE_CLOSED', { path: this.#path }))
    this.#waiting.clear()
    try {
      for (const id of open) this.#abandon(id)
    } finally {
      this.#database.close()
    }
  }

  /** One plugin's flood leaves room for the others. */
  #refuseMore(plugin: string, nowMs: number): void {
    const { pendingPerPlugin, pending, asksPerMinute } = this.#options
    const own = [...this.#waiting.values()].filter((one) => one.plugin === plugin).length
    const full =
      own >= pendingPerPlugin ? [plugin, own] : this.#waiting.size >= pending ? ['the host', this.#waiting.size] : undefined
    if (full !== undefined) throw storageErrors.error('APPROVALS_FULL', { whose: full[0] ?? '', pending: full[1] ?? 0 })
    const recent = (this.#askedAtMs.get(plugin) ?? []).filter((atMs) => atMs > nowMs - minuteMs)
    if (recent.length >= asksPerMinute) throw storageErrors.error('APPROVALS_TOO_MANY', { plugin, asks: recent.length })
    this.#askedAtMs.set(plugin, [...recent, nowMs])
  }

  #insert(request: ApprovalRequest, nowMs: number): void {
    const { id, plugin, version, point, name, method, traceId, expiresAtMs } = request
    const { redact, kept } = this.#options
    const json = JSON.stringify(request.input ?? null, (_, value: unknown) => (typeof value === 'string' ? redact(value) : value))
    const input = json.length > longestInput ? JSON.stringify(`(${json.length} characters, not kept)`) : json
    const sentence = redact(request.sentence)
    const what = [id, plugin, version ?? null, point, name, method, sentence, input, traceId] as const
    this.#inPlace()
    // Whoever looks in between would take a question without its asker for one that was left.
    this.#database.exec('BEGIN IMMEDIATE')
    try {
      this.#statements.insert.run(...what, Math.floor(nowMs), Math.floor(expiresAtMs))
      this.#statements.forget.run()
      this.#statements.asker.run(id, this.#options.process)
      this.#statements.prune.run(kept)
      this.#database.exec('COMMIT')
    } catch (error) {
      if (this.#database.isTransaction) this.#database.exec('ROLLBACK')
      throw error
    }
  }

  /** Of processes that have ended; those that live wait for theirs. */
  #abandonLeft(): readonly ApprovalEntry[] {
    const left = this.#statements.open.all().filter((row) => row['process'] === null || !isRunning(String(row['process'])))
    return left.flatMap((row) => this.#abandon(String(row['id'])))
  }

  #abandon(id: string): readonly ApprovalEntry[] {
    return this.#statements.abandon.all(Math.floor(this.#options.now()), id).map(entryOf)
  }

  /** Nobody waits any more. That it cannot be written changes nothing about that. */
  #giveUp(id: string, signal: AbortSignal): void {
    const waiting = this.#waiting.get(id)
    if (waiting === undefined) return
    this.#waiting.delete(id)
    waiting.answer.reject(signal.reason as Error)
    const isExpired = Reflect.get(Object(signal.reason), 'code') === 'APPROVAL_EXPIRED'
    try {
      this.#end(id, isExpired ? 'expired' : 'cancelled', {})
    } catch {
      // it stands there as open until the next start, which calls it abandoned; who decides it is told that nobody waits
    }
  }

  /** Whether it was open until now. */
  #end(
    id: string,
    state: ApprovalState,
    { by, reason }: { readonly by?: string; readonly reason?: string | undefined },
  ): boolean {
    return this.#run(() => {
      this.#inPlace()
      return this.#statements.end.run(state, Math.floor(this.#options.now()), by ?? null, reason ?? null, id).changes > 0
    })
  }

  #run<T>(work: () => T): T {
    if (!this.#database.isOpen) throw storageErrors.error('STORE_CLOSED', { path: this.#path })
    try {
      return work()
    } catch (error) {
      throw sqliteFailure(this.#path, error)
    }
  }
}

function entryOf(row: Record<string, SQLOutputValue>): ApprovalEntry {
  const text = (name: string): string => String(row[name])
  const textOrNull = (name: string): string | null => (row[name] === null ? null : text(name))
  return {
    id: text('id'),
    plugin: text('plugin'),
    version: textOrNull('version'),
    point: text('point'),
    name: text('name'),
    method: text('method'),
    sentence: text('sentence'),
    input: JSON.parse(text('input')) as unknown,
    traceId: text('trace_id'),
    expiresAtMs: Number(row['expires_at_ms']),
    state: text('state') as ApprovalState,
    askedAtMs: Number(row['asked_at_ms']),
    decidedAtMs: row['decided_at_ms'] === null ? null : Number(row['decided_at_ms']),
    by: textOrNull('by'),
    reason: textOrNull('reason'),
  }
}
