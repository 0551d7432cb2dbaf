import { randomBytes } from 'node:crypto'
import { PlatformError } from '@backplane/sdk'
import { abortError, type CallRequest, type CallSubject } from './active-call.ts'
import type { ApprovalAnswer, ApprovalRequest } from '../approval-port.ts'
import { boundedWait } from './bounded-wait.ts'
import type { Core } from '../core.ts'
import { kernelErrors } from '../errors.ts'
import type { KernelEvent } from '../events.ts'
import type { Plugin } from '../plugins/plugin.ts'
import type { Route } from '../points/point-table.ts'
import { messageOf } from './thrown.ts'

/** Longer ones are refused, not cut: what matters could stand where it is cut. */
const longestSentence = 2_000
const longestReason = 500
/** Below this, members of an input are not shown. */
const deepestShown = 8

/**
 * Has a person asked before a critical operation. Whatever goes wrong with that refuses the call: a sentence that cannot be
 * made, a desk that is missing or fails, an answer that is none.
 */
export class Approvals {
  readonly #core: Core
  readonly #notAsked: NotAsked

  /** `notAsked` is told of each call that was refused without anybody having been asked. */
  constructor(core: Core, notAsked: NotAsked) {
    this.#core = core
    this.#notAsked = notAsked
  }

  /**
   * Undefined when nobody has to be asked. Else the call as it was approved: its input is a copy, which nobody can have
   * changed since. `left` ends the wait beside the caller's own signal and deadline.
   * Errors: `APPROVAL_DENIED`, `APPROVAL_EXPIRED`, `APPROVAL_UNAVAILABLE`, those of the desk.
   */
  before(subject: CallSubject, request: CallRequest, left?: () => AbortSignal): Promise<CallSubject> | undefined {
    const { approval } = subject.route
    const isCritical = approval !== undefined && request.caller !== undefined
    if (!isCritical && this.#core.options.approvals?.demanded === undefined) return undefined
    try {
      if (!isCritical && !this.#isDemanded(subject, request)) return undefined
      const input = structuredClone(subject.input)
      const call = { ...subject, input }
      return this.#ask(call, request, left?.()).then(() => call)
    } catch (error) {
      return Promise.reject(this.#refused(subject, request, error))
    }
  }

  #isDemanded({ target: { point, name, method } }: CallSubject, { caller }: CallRequest): boolean {
    const { demanded } = this.#core.options.approvals ?? {}
    if (demanded === undefined) return false
    const answer: unknown = demanded({ caller: caller?.id ?? 'host', point, name, method })
    // a promise, say, is no no
    if (typeof answer !== 'boolean') throw new TypeError('the host does not say whether a person is asked')
    return answer
  }

  /** Throws at once what was not even asked. */
  #ask(subject: CallSubject, request: CallRequest, left: AbortSignal | undefined): Promise<void> {
    const { options, clock, events, stopping } = this.#core
    const { desk } = options.approvals ?? {}
    if (desk === undefined) throw new Error('this host asks nobody')
    const nowMs = clock.now()
    const { question, waitMs } = this.#question(subject, request, nowMs)
    const over = new AbortController()
    const expired = (): void => over.abort(this.#expired(question, waitMs))
    const ends = [request.signal, left, stopping, request.caller?.ended].filter((signal) => signal !== undefined)
    const signal = AbortSignal.any([over.signal, ...ends])
    if (signal.aborted) return Promise.reject(abortError(signal))
    const answering = desk.ask(question, signal)
    const { id: approval, plugin, point, name, method, sentence, traceId } = question
    events.record({ type: 'approval.asked', plugin, approval, point, name, method, sentence, traceId }, nowMs)
    const timer = clock.after(waitMs, expired)
    return boundedWait(answering, { signal })
      .then(
        (answer) => (signal.aborted ? this.#giveUp(question, signal.reason, signal) : this.#take(question, answer)),
        (error: unknown) => this.#giveUp(question, error, signal),
      )
      .finally(() => {
        timer[Symbol.dispose]()
        // whoever still listens is let go: the signals it follows live as long as the host
        over.abort(new DOMException('nobody waits for an answer any more', 'AbortError'))
      })
  }

  #question(
    { target, input, route }: CallSubject,
    { caller, deadlineMs, deadlineAtMs, traceId }: CallRequest,
    nowMs: number,
  ): { readonly question: ApprovalRequest; readonly waitMs: number } {
    const { point, name, method } = target
    const made: unknown = route.approval === undefined ? `call ${method} of ${point} "${name}"` : route.approval(input)
    const sentence = typeof made === 'string' ? oneLine(this.#core.redactor.text(made)) : ''
    if (sentence === '') throw new TypeError('nobody can say what it would do')
    if (sentence.length > longestSentence)
      throw new RangeError(`it takes more than ${longestSentence} characters to say what it would do`)
    const waitMs = Math.max(1, Math.min(this.#core.times.approvalMs, deadlineMs ?? Infinity, (deadlineAtMs ?? Infinity) - nowMs))
    const question = {
      id: randomBytes(8).toString('hex'),
      plugin: caller?.id ?? 'host',
      version: caller?.version,
      point,
      name,
      method,
      sentence,
      input: this.#core.redactor.value(withoutBytes(input)),
      traceId: traceId ?? randomBytes(16).toString('hex'),
      expiresAtMs: nowMs + waitMs,
    }
    return { question, waitMs }
  }

  #take(question: ApprovalRequest, answer: ApprovalAnswer): void {
    const { approved, by, reason } = Object(answer) as { readonly [K in keyof ApprovalAnswer]: unknown }
    const said = typeof reason === 'string' && reason !== '' ? oneLine(reason).slice(0, longestReason) : undefined
    const who = typeof by === 'string' ? { by: oneLine(by).slice(0, longestReason) } : {}
    const outcome = approved === true ? 'approved' : 'denied'
    this.#tell(question, outcome, { ...who, ...(said === undefined ? {} : { reason: said }) })
    if (approved === true) return
    const { plugin, sentence, point } = question
    const parameters = { caller: plugin, sentence, reason: said ?? 'no reason was given' }
    throw kernelErrors.error('APPROVAL_DENIED', parameters, { ...of(question), point, details: { reason: said ?? null } })
  }

  #giveUp(question: ApprovalRequest, error: unknown, signal: AbortSignal): never {
    const ending = signal.aborted ? abortError(signal) : undefined
    const isExpired = ending instanceof PlatformError && ending.code === 'APPROVAL_EXPIRED'
    const outcome = isExpired ? 'expired' : ending === undefined ? 'failed' : 'cancelled'
    this.#tell(question, outcome, isExpired ? {} : { reason: shortly(ending ?? error) })
    if (ending !== undefined) throw ending
    throw error instanceof PlatformError ? error : unavailable(question.plugin, question.sentence, error)
  }

  #tell({ id: approval, plugin, point, name, method, traceId }: ApprovalRequest, outcome: Outcome, more: Said): void {
    const about = { plugin, approval, point, name, method, traceId }
    this.#core.events.record({ type: 'approval.ended', ...about, outcome, ...more })
  }

  #refused({ plugin, route }: CallSubject, { caller }: CallRequest, error: unknown): Error {
    const coded = error instanceof PlatformError ? error : unavailable(caller?.id ?? 'host', `call ${route.label}`, error)
    this.#notAsked(plugin, route, coded)
    return coded
  }

  #expired(question: ApprovalRequest, waitMs: number): Error {
    const { plugin, sentence, point } = question
    return kernelErrors.error('APPROVAL_EXPIRED', { caller: plugin, sentence, waitMs }, { ...of(question), point })
  }
}

type NotAsked = (plugin: Plugin, route: Route, error: Error) => void
type Ended = Extract<KernelEvent, { readonly type: 'approval.ended' }>
type Outcome = Ended['outcome']
type Said = Pick<Ended, 'by' | 'reason'>

function of({ plugin }: ApprovalRequest): { readonly plugin?: string } {
  return plugin === 'host' ? {} : { plugin }
}

function unavailable(caller: string, sentence: string, cause: unknown): Error {
  const reason = shortly(cause)
  const fields = { ...(caller === 'host' ? {} : { plugin: caller }), cause }
  return kernelErrors.error('APPROVAL_UNAVAILABLE', { caller, sentence, reason }, fields)
}

/**
 * Controls, characters without width, and marks that turn text around. More than a terminal leaves out of what it prints, for which
 * `terminal` has its own: two sentences that look alike must not be two here, so the joiners of some scripts go as well.
 */
const unseen =
  // oxlint-disable-next-line no-control-regex -- control characters are what is looked for
  /[\u0000-\u001f\u007f-\u009f\u00ad\u061c\u180e\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb\u{e0000}-\u{e007f}]+/gu

/** What is read by a person must not steer a terminal, nor pretend to be more than one line. */
function oneLine(text: string): string {
  return text.replaceAll(unseen, ' ').trim()
}

function shortly(error: unknown): string {
  return oneLine(messageOf(error)).slice(0, longestReason)
}

function withoutBytes(value: unknown, depth = 0): unknown {
  if (ArrayBuffer.isView(value)) return `(${value.byteLength} bytes)`
  if (typeof value !== 'object' || value === null) return value
  if (depth >= deepestShown) return '(not shown)'
  if (Array.isArray(value)) return value.map((member) => withoutBytes(member, depth + 1))
  return Object.fromEntries(Object.entries(value).map(([key, member]) => [key, withoutBytes(member, depth + 1)]))
}
