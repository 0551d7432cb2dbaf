import { randomUUID } from 'node:crypto'
import type { Progress } from '@backplane/sdk'
import { serverErrors } from '../errors.ts'
import { reaches, type Caller } from '../guard/caller.ts'

/** How many changes may go on, and how many are remembered. */
export interface OperationLimits {
  /** Changes that go on at once. Default 64. */
  readonly running: number
  /** Ended ones that can still be asked for; the oldest is forgotten for a new one. Default 500. */
  readonly ended: number
  /** Answers larger than this are told as a status alone, bytes. Default 8 MiB: a plan of a thousand plugins. */
  readonly answerBytes: number
  /** All answers that are kept, bytes; of the oldest beyond that only the status is. Default 16 MiB. */
  readonly totalBytes: number
}

/** What began an operation. */
export interface OperationStart {
  readonly method: string
  readonly path: string
  /** The plugin it changes; undefined means all. */
  readonly plugin: string | undefined
}

/** A change that goes on after its request was answered. */
export interface Operation extends OperationStart {
  readonly id: string
  readonly startedAtMs: number
  readonly state: OperationState
  /** How far it is; undefined before it said anything, and for changes that do not tell. */
  readonly progress: Progress | undefined
  /** Settles when it has ended; never rejects. */
  readonly ended: Promise<void>
}

/** How it stands. */
export type OperationState =
  | { readonly name: 'running' }
  | {
      readonly name: 'ended'
      readonly endedAtMs: number
      readonly status: number
      readonly body: unknown
      /** Of the body, as it was. */
      readonly sizeBytes: number
    }

/** Operations of one server, in memory: they end with the process, as the changes themselves do. */
export class Operations {
  readonly #limits: OperationLimits
  readonly #known = new Map<string, Operation>()
  readonly #listeners = new Map<string, PromiseWithResolvers<void>>()

  constructor(limits: Partial<OperationLimits> = {}) {
    this.#limits = { running: 64, ended: 500, answerBytes: 8 * 1_024 * 1_024, totalBytes: 16 * 1_024 * 1_024, ...limits }
  }

  /** Begins one. `work` never rejects: its failures are answers. Errors: `SERVER_OPERATIONS_FULL`. */
  start(what: OperationStart, work: (onProgress: (progress: Progress) => void) => Promise<Response>): Operation {
    const running = [...this.#known.values()].filter(({ state }) => state.name === 'running').length
    const { running: limit } = this.#limits
    if (running >= limit) throw serverErrors.error('SERVER_OPERATIONS_FULL', { limit }, { details: { seconds: 1 } })
    const id = randomUUID()
    const ended = this.#end(id, () => work((progress) => this.#tell(id, progress)))
    const operation: Operation = { ...what, id, startedAtMs: Date.now(), state: { name: 'running' }, progress: undefined, ended }
    this.#known.set(id, operation)
    return operation
  }

  /** One a caller may know of. Errors: `SERVER_OPERATION_UNKNOWN`. */
  get(id: string, caller: Caller | undefined): Operation {
    const operation = this.#known.get(id)
    if (operation === undefined || !mayKnow(caller, operation)) throw serverErrors.error('SERVER_OPERATION_UNKNOWN', { id })
    return operation
  }

  /** Those a caller may know of, newest first. */
  list(caller: Caller | undefined): readonly Operation[] {
    return [...this.#known.values()].filter((operation) => mayKnow(caller, operation)).toReversed()
  }

  /** Settles at the next progress of an operation. */
  told(id: string): Promise<void> {
    const known = this.#listeners.get(id) ?? Promise.withResolvers<void>()
    this.#listeners.set(id, known)
    return known.promise
  }

  #tell(id: string, progress: Progress): void {
    const operation = this.#known.get(id)
    if (operation?.state.name !== 'running') return
    this.#known.set(id, { ...operation, progress })
    this.#listeners.get(id)?.resolve()
    this.#listeners.delete(id)
  }

  async #end(id: string, work: () => Promise<Response>): Promise<void> {
    const response = await work()
    const text = await response.text()
    const length = Buffer.byteLength(text)
    const sizeBytes = length > this.#limits.answerBytes ? 0 : length
    const body: unknown = sizeBytes === 0 ? null : JSON.parse(text)
    this.#listeners.delete(id)
    const operation = this.#known.get(id)
    if (operation === undefined) return
    this.#known.set(id, {
      ...operation,
      state: { name: 'ended', endedAtMs: Date.now(), status: response.status, body, sizeBytes },
    })
    this.#forgetOldest()
    this.#forgetAnswers()
  }

  #forgetOldest(): void {
    const ended = [...this.#known.values()].filter(({ state }) => state.name === 'ended')
    for (const { id } of ended.slice(0, Math.max(0, ended.length - this.#limits.ended))) this.#known.delete(id)
  }

  /** Of the newest as many as have room are kept. */
  #forgetAnswers(): void {
    let bytes = 0
    for (const [id, operation] of [...this.#known].toReversed()) {
      const { state } = operation
      if (state.name !== 'ended') continue
      bytes += state.sizeBytes
      if (bytes > this.#limits.totalBytes) this.#known.set(id, { ...operation, state: { ...state, body: null, sizeBytes: 0 } })
    }
  }
}

function mayKnow(caller: Caller | undefined, { plugin }: Operation): boolean {
  return plugin === undefined ? caller?.plugins === undefined : reaches(caller, plugin)
}
