import { fork, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { readFile } from 'node:fs/promises'
import { setTimeout as delay } from 'node:timers/promises'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import type { KernelEvent, KernelLogLine, PluginRecord } from '@backplane/kernel'
import type { SteadyReport } from './steady.ts'
import type { TierName } from './tiers.ts'

const program = fileURLToPath(new URL('host.ts', import.meta.url))
const startMs = 30_000
/** Between two looks at the host's health, ms. */
const lookMs = 20

/** What came of one attack: what it got, what it was stopped with inside the plugin, or why the call failed. */
export interface Outcome {
  readonly value?: unknown
  readonly code?: string
  readonly failed?: { readonly code: string; readonly message: string; readonly details?: unknown }
}

/** What the orders of the host answer. */
interface Answers {
  readonly health: boolean
  readonly call: { readonly answer?: unknown; readonly told: unknown; readonly failed?: Outcome['failed'] }
  readonly load: SteadyReport
  readonly record: PluginRecord | undefined
  readonly events: readonly KernelEvent[]
  readonly newestEvent: number
  readonly lines: readonly KernelLogLine[]
  readonly disable: string
  readonly enable: string
  readonly release: string
  readonly isIntact: boolean
  readonly rss: number
  readonly stop: boolean
}

/** A host in a process of its own, seen from outside: what it says, whether it lives, and how long it takes to say so. */
export class HostProcess implements AsyncDisposable {
  readonly child: ChildProcess
  readonly environmentCanary: string
  readonly #waiting = new Map<number, PromiseWithResolvers<unknown>>()
  readonly #healthMs: number[] = []
  /** Without an answer for so long it counts as down; shorter where a plugin is known to make it stand still. */
  patienceMs = 3_000
  readonly #over = new AbortController()
  #ids = 0
  #output = ''
  /** Bytes that came over its standard output and error. */
  outputBytes = 0

  private constructor(child: ChildProcess, environmentCanary: string) {
    this.child = child
    this.environmentCanary = environmentCanary
    for (const stream of [child.stdout, child.stderr]) stream?.on('data', (chunk: Buffer) => this.#printed(chunk))
    child.on('message', (message) => {
      const { id, answer, error } = message as { id: number; answer?: unknown; error?: string }
      if (error === undefined) this.#waiting.get(id)?.resolve(answer)
      else this.#waiting.get(id)?.reject(new Error(error))
      this.#waiting.delete(id)
    })
    child.on('exit', () => {
      this.#over.abort()
      this.#giveUp(new HostDown(`it ended: ${this.#output.slice(-2_000)}`))
    })
  }

  /** Settles when the innocent plugin was called for the first time. `kind` other than `usual`: supervision as by default. */
  static async start(tier: TierName, root: string, kind: 'usual' | 'strict' = 'usual'): Promise<HostProcess> {
    const environmentCanary = 'canary-in-the-environment'
    const child = fork(program, [tier, root, kind], {
      execArgv: ['--disable-sigusr1', '--max-old-space-size=512', '--conditions=@backplane/source'],
      env: {
        PATH: process.env['PATH'],
        NODE_COMPILE_CACHE: join(dirname(root), 'compiled'),
        BACKPLANE_HOSTILE_SECRET: environmentCanary,
      },
      stdio: ['ignore', 'pipe', 'pipe', 'ipc'],
    })
    const host = new HostProcess(child, environmentCanary)
    const ready = Promise.withResolvers<unknown>()
    host.#waiting.set(0, ready)
    await within(startMs, ready.promise, () => host.#output)
    void host.#lookAfterHealth()
    return host
  }

  get pid(): number {
    return this.child.pid ?? 0
  }

  /** What it wrote to its own output, the newest part. */
  get output(): string {
    return this.#output
  }

  get isDown(): boolean {
    return this.child.exitCode !== null || this.child.signalCode !== null
  }

  /** Errors: {@link HostDown} when it does not answer in time or is gone. */
  async ask<W extends keyof Answers>(what: W, given: object = {}, waitMs: number = this.patienceMs): Promise<Answers[W]> {
    if (this.isDown || !this.child.connected) throw new HostDown('it ended')
    this.#ids += 1
    const answer = Promise.withResolvers<unknown>()
    this.#waiting.set(this.#ids, answer)
    this.child.send({ id: this.#ids, what, given }, () => undefined)
    return (await within(waitMs, answer.promise, () => `${what} was not answered for ${waitMs} ms`)) as Answers[W]
  }

  /** How long answers to health took since the last time, ms; those that did not come are not in it. */
  takeHealth(): readonly number[] {
    return this.#healthMs.splice(0)
  }

  /** Whether it answers now, within the patience. */
  async lives(): Promise<boolean> {
    return this.ask('health').then(
      () => true,
      () => false,
    )
  }

  /** Its processes and all theirs. */
  async tree(): Promise<readonly number[]> {
    return descendants(this.pid)
  }

  kill(): void {
    this.child.kill('SIGCONT')
    this.child.kill('SIGKILL')
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.isDown) return
    const exit = once(this.child, 'exit')
    await this.ask('stop', {}, 10_000).catch(() => this.kill())
    await Promise.race([exit, delay(2_000, undefined, { ref: false }).then(() => this.kill())])
    await exit
  }

  #giveUp(why: unknown): void {
    for (const { reject } of this.#waiting.values()) reject(why)
    this.#waiting.clear()
  }

  #printed(chunk: Buffer): void {
    this.outputBytes += chunk.length
    this.#output = (this.#output + chunk.toString()).slice(-1_000_000)
  }

  async #lookAfterHealth(): Promise<void> {
    while (!this.#over.signal.aborted) {
      const began = performance.now()
      await this.ask('health').then(
        () => this.#healthMs.push(performance.now() - began),
        // Nobody has to wait for an answer any longer.
        (error: unknown) => this.#giveUp(error),
      )
      await delay(lookMs, undefined, { ref: false })
    }
  }
}

/** The host ended, or does not answer. */
export class HostDown extends Error {}

async function within<T>(ms: number, promise: Promise<T>, why: () => string): Promise<T> {
  const over = new AbortController()
  const late = delay(ms, undefined, { signal: over.signal }).then(() => {
    throw new HostDown(why())
  })
  late.catch(() => undefined)
  try {
    return await Promise.race([promise, late])
  } finally {
    over.abort()
  }
}

/** All processes below one. */
export async function descendants(pid: number): Promise<readonly number[]> {
  const text = await readFile(`/proc/${pid}/task/${pid}/children`, 'utf8').catch(() => '')
  const children = text.trim().split(' ').filter(Boolean).map(Number)
  return [...children, ...(await Promise.all(children.map(descendants))).flat()]
}
