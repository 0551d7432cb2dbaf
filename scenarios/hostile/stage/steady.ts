import type { Kernel } from '@backplane/kernel'
import { work } from './points.ts'

/** How the innocent plugin's calls went. */
export interface SteadyReport {
  /** How long each took, ms. */
  readonly tookMs: readonly number[]
  readonly failures: readonly string[]
}

/** Between two calls, ms. */
const pauseMs = 10

/** Somebody who calls the innocent plugin all the time. */
export class Steady implements AsyncDisposable {
  readonly #kernel: Kernel
  #tookMs: number[] = []
  #failures: string[] = []
  #over = false
  #running: Promise<void> | undefined

  constructor(kernel: Kernel) {
    this.#kernel = kernel
  }

  /** Settles after the first call. */
  async begin(): Promise<void> {
    await this.#call(0)
    this.#running = this.#run()
  }

  /** What came of the calls since the last time. */
  take(): SteadyReport {
    const report = { tookMs: this.#tookMs, failures: this.#failures }
    this.#tookMs = []
    this.#failures = []
    return report
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#over = true
    await this.#running
  }

  async #run(): Promise<void> {
    for (let n = 1; !this.#over; n++) {
      await this.#call(n)
      await new Promise((resolve) => setTimeout(resolve, pauseMs))
    }
  }

  async #call(n: number): Promise<void> {
    const began = performance.now()
    try {
      const answer = (await this.#kernel.provider(work, 'innocent').run({ n, write: n % 20 === 0 })) as { n?: number }
      if (answer.n !== n) this.#failures.push(`answered ${JSON.stringify(answer)} to ${n}`)
    } catch (error) {
      this.#failures.push(String(error))
    }
    this.#tookMs.push(performance.now() - began)
  }
}
