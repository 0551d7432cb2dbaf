import type { Kernel, Lease } from '@backplane/kernel'
import type { OpenedClient } from '@backplane/sdk'
import { provider, type ProviderConfig } from '@hypersdk/points'
import { hypersdkErrors } from '../errors.ts'

/** One use of an opened instance: dispose it when the work is done, so that a replaced version may end. */
export interface ProviderUse extends AsyncDisposable {
  /** Name of the instance. */
  readonly instance: string
  /** The provider's type. */
  readonly type: string
  readonly client: OpenedClient<typeof provider>
  /** The generation this use stays on, whatever is installed meanwhile. */
  readonly lease: Lease<typeof provider>
}

/** What an instance is opened with. */
export interface InstanceOpening {
  readonly kernel: Kernel
  readonly name: string
  readonly type: string
  /** Resolves handles for the plugin that is to get them, so that credentials exist only while `open` runs. */
  readonly options: (plugin: string) => Promise<Partial<ProviderConfig>>
  /** For `open` itself; starting the plugin has the kernel's own limit. */
  readonly openTimeoutMs: number
  /** Told when freeing a replaced instance failed; there is nobody else to tell. */
  readonly onCloseError: (error: unknown) => void
}

interface Opened {
  readonly lease: Lease<typeof provider>
  readonly client: OpenedClient<typeof provider>
  uses: number
  retired: boolean
  closed: Promise<void> | undefined
}

/**
 * One named instance of a provider, opened at its first use and again when its plugin has a new generation. Calls that
 * began on the old one end on it; then it is closed.
 */
export class ProviderInstance implements AsyncDisposable {
  readonly #opening: InstanceOpening
  #current: Opened | undefined
  #pending: Promise<Opened> | undefined
  readonly #closing = new Map<Promise<void>, Opened>()
  #disposed = false

  constructor(opening: InstanceOpening) {
    this.#opening = opening
  }

  /** The provider's type. */
  get type(): string {
    return this.#opening.type
  }

  /**
   * Takes a use on the generation that serves now (`serving`), opening the instance when needed. Errors: those of
   * opening; the signal's reason when the caller stops waiting (the opening itself goes on for others).
   */
  async use(serving: number | undefined, signal: AbortSignal): Promise<ProviderUse> {
    const opened = await this.#take(serving, signal)
    let released = false
    return {
      instance: this.#opening.name,
      type: this.#opening.type,
      client: opened.client,
      lease: opened.lease,
      [Symbol.asyncDispose]: async () => {
        if (released) return
        released = true
        opened.uses--
        if (opened.retired && opened.uses === 0) await this.#close(opened)
      },
    }
  }

  /** Lets go of an opened instance whose generation no longer serves, once its calls have ended. */
  refresh(serving: number | undefined): void {
    if (this.#current !== undefined && this.#usable(serving) === undefined) this.#retire()
  }

  /** Ids of the plugins whose instances were asked to close and have not answered. */
  closing(): readonly string[] {
    return [...this.#closing.values()].map(({ lease }) => lease.plugin)
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#disposed = true
    await this.#pending?.catch(() => undefined)
    const opened = this.#current
    this.#retire()
    if (opened !== undefined) await this.#close(opened)
    await Promise.all(this.#closing.keys())
  }

  async #take(serving: number | undefined, signal: AbortSignal): Promise<Opened> {
    for (;;) {
      // Before anything is opened: an opening nobody waits for has nobody to tell its failure to.
      signal.throwIfAborted()
      if (this.#disposed)
        throw hypersdkErrors.error('PROVIDER_UNAVAILABLE', { name: this.#opening.name, reason: 'the daemon is stopping' })
      const opened = this.#usable(serving) ?? (await raced((this.#pending ??= this.#open()), signal))
      // It may have been replaced between the end of opening and here.
      if (opened.retired) continue
      opened.uses++
      return opened
    }
  }

  #usable(serving: number | undefined): Opened | undefined {
    const opened = this.#current
    const fits = opened !== undefined && !opened.lease.signal.aborted && opened.lease.generation === serving
    return fits ? opened : undefined
  }

  async #open(): Promise<Opened> {
    const { kernel, type, openTimeoutMs } = this.#opening
    try {
      const lease = await kernel.lease(provider, type)
      try {
        const options = await this.#opening.options(lease.plugin)
        const client = await lease.handle.open({ ...options, type }, { deadlineMs: openTimeoutMs })
        const opened: Opened = { lease, client, uses: 0, retired: false, closed: undefined }
        this.#retire()
        this.#current = opened
        if (this.#disposed) this.#retire()
        return opened
      } catch (error) {
        await lease[Symbol.asyncDispose]()
        throw error
      }
    } finally {
      this.#pending = undefined
    }
  }

  #retire(): void {
    const opened = this.#current
    this.#current = undefined
    if (opened === undefined) return
    opened.retired = true
    if (opened.uses === 0) void this.#close(opened)
  }

  #close(opened: Opened): Promise<void> {
    opened.closed ??= this.#closeNow(opened)
    return opened.closed
  }

  #closeNow(opened: Opened): Promise<void> {
    const closing = close(opened)
      .catch(this.#opening.onCloseError)
      .finally(() => this.#closing.delete(closing))
    this.#closing.set(closing, opened)
    return closing
  }
}

async function close(opened: Opened): Promise<void> {
  try {
    await opened.client[Symbol.asyncDispose]()
  } finally {
    await opened.lease[Symbol.asyncDispose]()
  }
}

/** Settles like `work`, or rejects with the signal's reason when that comes first. */
async function raced<T>(work: Promise<T>, signal: AbortSignal): Promise<T> {
  const { promise, reject } = Promise.withResolvers<never>()
  const stop = (): void => reject(signal.reason)
  signal.addEventListener('abort', stop, { once: true })
  try {
    return await Promise.race([work, promise])
  } finally {
    signal.removeEventListener('abort', stop)
  }
}
