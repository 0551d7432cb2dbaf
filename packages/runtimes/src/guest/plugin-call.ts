import type { CallContext, HostLink, Target } from '@backplane/kernel'
import type { Call, Logger } from '@backplane/sdk'
import { pluginLog } from './plugin-log.ts'

/** What a plugin's function is given beside its value. Made for every call, so it builds only what is looked at. */
export class PluginCall implements Call {
  readonly #context: CallContext
  readonly #target: Target
  readonly #link: CallLink
  #signal: AbortSignal | undefined
  #left: AbortController | undefined
  #log: Logger | undefined
  #over = false

  constructor(target: Target, context: CallContext, link: CallLink) {
    this.#context = context
    this.#target = target
    this.#link = link
  }

  get deadlineAtMs(): number | undefined {
    return this.#context.deadlineAtMs
  }

  get traceId(): string {
    return this.#context.traceId
  }

  get caller(): string {
    return this.#context.caller
  }

  get progress(): Call['progress'] {
    return (done, total, phase) => {
      if (this.#over) return
      this.#context.onProgress?.({
        done,
        ...(total === undefined ? {} : { total }),
        ...(phase === undefined ? {} : { phase }),
      })
    }
  }

  get signal(): AbortSignal {
    if (this.#signal === undefined) {
      this.#left = new AbortController()
      this.#signal = AbortSignal.any([this.#context.signal, this.#link.stopping, this.#left.signal])
    }
    return this.#signal
  }

  get log(): Logger {
    this.#log ??= this.#openLog()
    return this.#log
  }

  /** Makes `progress` and `log` do nothing from now on. */
  end(): void {
    this.#over = true
  }

  /** Ends a stream: whatever still works for a consumer that has left is told so by the signal. */
  leave(): void {
    this.end()
    this.#left?.abort(new DOMException('the stream is over', 'AbortError'))
  }

  #openLog(): Logger {
    const { point, method } = this.#target
    const log = pluginLog(this.#link.host, this.traceId, { point, method })
    const whileRunning =
      (write: Logger['info']): Logger['info'] =>
      (message, fields) => {
        if (!this.#over) write(message, fields)
      }
    return {
      debug: whileRunning(log.debug),
      info: whileRunning(log.info),
      warn: whileRunning(log.warn),
      error: whileRunning(log.error),
    }
  }
}

/** What all calls of one plugin share. */
export interface CallLink {
  readonly host: HostLink
  /** Aborted when the plugin is stopped. */
  readonly stopping: AbortSignal
}
