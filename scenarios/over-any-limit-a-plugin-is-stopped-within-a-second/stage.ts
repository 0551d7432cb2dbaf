import { copyFile, mkdir, mkdtemp, readdir, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { TestContext } from 'node:test'
import { createKernel, defaultLimits, type Kernel, type KernelEvent, type LimitName, type Limits } from '@backplane/kernel'
import { confined, contained } from '@backplane/runtimes'
import { anything, defineProvider, unary } from '@backplane/sdk'
import { directory } from '@backplane/sources'
import { tierChoices } from '../hostile/stage/tiers.ts'

/** The tiers that claim limits. */
export type LimitedTier = 'os' | 'process' | 'contained'

const point = defineProvider('demo.work', { run: unary(anything, anything) })
const mebibyte = 1024 ** 2

/** What both plugins are held to, and what is not tried. */
export const limits: Limits = {
  ...defaultLimits,
  memoryMiB: 192,
  cpuPercent: 1_000,
  openFiles: 100,
  dataBytes: 16 * mebibyte,
  dataFiles: 200,
  concurrency: 4,
  queue: 0,
  timeoutMs: 30_000,
  stallMs: 20_000,
  messageBytes: mebibyte,
  outputBytesPerSecond: 64 * 1024,
  outputBurstBytes: mebibyte,
}

type EventOf<T extends KernelEvent['type']> = Extract<KernelEvent, { readonly type: T }>

/** One way over a limit. */
export interface Excess {
  readonly limit: LimitName
  readonly until: 'ended' | 'refused'
  readonly run: (stage: Stage) => Promise<unknown>
  /** Limits for this one only. */
  readonly own?: Partial<Limits>
}

/** What was seen of one excess. Times are ms. */
export interface Seen {
  /** What the call came to. */
  readonly answer?: unknown
  readonly code?: string
  /** The event that names the limit. */
  readonly named?: EventOf<'limit.exceeded'> | undefined
  /** From when the plugin said it was over, or else from the call, until it had ended or its call was refused. */
  readonly stoppedAfterMs: number
  readonly saidOver: boolean
  /** The neighbour's calls, before and during. */
  readonly before: readonly number[]
  readonly during: readonly number[]
}

/** A host with a plugin that goes over its limits, and a neighbour that is called all the time. */
export class Stage {
  readonly kernel: Kernel
  readonly #saidOver: number[]
  readonly #own: { limits: Partial<Limits> }
  #tookMs: number[] = []
  #data: string | undefined

  private constructor(kernel: Kernel, saidOver: number[], own: { limits: Partial<Limits> }) {
    this.kernel = kernel
    this.#saidOver = saidOver
    this.#own = own
  }

  static async make(t: TestContext, name: LimitedTier): Promise<Stage> {
    const root = await mkdtemp(join(tmpdir(), 'backplane-over-'))
    t.after(() => rm(root, { recursive: true, force: true }))
    for (const plugin of ['worker', 'neighbour']) await layOut(join(root, 'plugins', plugin), plugin)
    const { tier, isolation } = tierChoices[name]
    const modules = { '@backplane/sdk': import.meta.resolve('@backplane/sdk') }
    const saidOver: number[] = []
    const own: { limits: Partial<Limits> } = { limits: {} }
    const kernel = await createKernel({
      host: { name: 'over', api: '1.0.0' },
      points: [point],
      sources: [directory(join(root, 'plugins'), { store: join(root, 'store'), watch: false })],
      runtimes: [tier === 'confined' ? confined({ modules }) : contained({ modules })],
      policy: { tier: () => tier, isolation: () => isolation, waive: () => (name === 'os' ? [] : ['*']) },
      dataDirectory: join(root, 'data'),
      limits,
      settings: (id) => (id === 'demo/worker' ? { ...own } : undefined),
      // In the sandbox both are held, and who wants more is only told.
      onLimit: name === 'os' ? {} : { cpu: 'restart', 'open-files': 'restart' },
      supervision: { crashes: 10_000, firstWaitMs: 1, longestWaitMs: 1 },
      log: { write: ({ message }) => (message === 'over' ? void saidOver.push(performance.now()) : undefined) },
      watch: false,
    })
    t.after(() => kernel[Symbol.asyncDispose]())
    const stage = new Stage(kernel, saidOver, own)
    await kernel.plugins.start('demo/neighbour')
    stage.#keepCalling(t)
    return stage
  }

  run(what: string, given: object = {}): Promise<unknown> {
    return this.kernel.provider(point, 'worker').run({ what, ...given })
  }

  /**
   * Lets a fresh plugin go over a limit, and sees what comes of it: `ended` waits for its end, `refused` for its call's.
   */
  async see({ until, limit, run, own = {} }: Excess): Promise<Seen> {
    this.#own.limits = own
    await this.kernel.plugins.disable('demo/worker')
    // One that still holds too much would be ended again as soon as that is seen.
    if (this.#data !== undefined) for (const name of await readdir(this.#data)) await rm(join(this.#data, name))
    await this.kernel.plugins.enable('demo/worker')
    await this.kernel.plugins.start('demo/worker')
    this.#data = String(await this.run('where'))
    this.#tookMs = []
    await new Promise((resolve) => setTimeout(resolve, quietMs))
    const before = this.#take()
    this.#saidOver.length = 0
    const named = this.#next('limit.exceeded', (event) => event.limit === limit)
    const ended = this.#next('plugin.exited').then(() => performance.now())
    const began = performance.now()
    const outcome = run(this).then(
      (answer) => ({ answer }),
      (error: unknown) => ({ code: String(Reflect.get(Object(error), 'code')) }),
    )
    const answered = outcome.then((one) => ('code' in one && until === 'ended' ? ended : performance.now()))
    const stoppedAt = await (until === 'ended' ? Promise.race([ended, answered]) : answered)
    const [over] = this.#saidOver
    const during = this.#take()
    const from = over === undefined || over > stoppedAt ? began : over
    // What could not be gone over names nothing.
    const late = new Promise<undefined>((resolve) => setTimeout(() => resolve(undefined), 2_000).unref())
    const news = 'code' in (await outcome) ? await Promise.race([named, late]) : undefined
    const seen = { before, during, stoppedAfterMs: stoppedAt - from, saidOver: over !== undefined, named: news }
    return { ...seen, ...(await outcome) }
  }

  #take(): readonly number[] {
    return this.#tookMs.splice(0)
  }

  /** The next event about the plugin. */
  #next<T extends KernelEvent['type']>(type: T, matches: (event: EventOf<T>) => boolean = () => true): Promise<EventOf<T>> {
    return new Promise((resolve) => {
      const subscription = this.kernel.events.subscribe(({ event }) => {
        if (event.type !== type || !('plugin' in event) || event.plugin !== 'demo/worker') return
        const one = event as EventOf<T>
        if (!matches(one)) return
        subscription[Symbol.dispose]()
        resolve(one)
      })
    })
  }

  #keepCalling(t: TestContext): void {
    const over = new AbortController()
    t.after(() => over.abort())
    const call = async (): Promise<void> => {
      while (!over.signal.aborted) {
        const began = performance.now()
        await this.kernel.provider(point, 'neighbour').run({ what: 'echo' })
        this.#tookMs.push(performance.now() - began)
        await new Promise((resolve) => setTimeout(resolve, 3))
      }
    }
    call().catch(() => undefined)
  }
}

const quietMs = 700

async function layOut(folder: string, name: string): Promise<void> {
  await mkdir(folder, { recursive: true })
  const api = { requires: { api: '^1.0.0' }, contributes: { 'demo.work': { [name]: {} } } }
  const manifest = { schemaVersion: 1, id: `demo/${name}`, version: '1.0.0', main: 'worker.js', ...api }
  await writeFile(join(folder, 'package.json'), '{ "type": "module" }')
  await writeFile(join(folder, 'plugin.json'), JSON.stringify(manifest))
  await copyFile(new URL('worker.js', import.meta.url), join(folder, 'worker.js'))
}

/** The value below which `part` of the values are. */
export function quantile(values: readonly number[], part: number): number {
  const sorted = values.toSorted((a, b) => a - b)
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * part))] ?? Number.NaN
}
