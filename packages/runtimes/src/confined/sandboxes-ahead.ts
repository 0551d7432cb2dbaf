import { dirname } from 'node:path'
import type { Directories } from '@backplane/sdk'
import { SpareBodies, type Shape } from '../pool/spare-bodies.ts'
import { sandboxStamp, type SandboxRequest } from '../sandbox/sandbox.ts'
import type { GuestBody } from '../session-link/guest-body.ts'
import type { ChildShape } from './child-shape.ts'
import { makeCodePlace, type CodePlace } from './code-place.ts'

/** What a sandbox is told beside its plugin's paths. */
export type SandboxPlan = Pick<SandboxRequest, 'programs' | 'exec' | 'trust' | 'limits' | 'uids' | 'warn'>

/** One plugin's start in a sandbox. */
export interface SandboxOrder {
  readonly shape: ChildShape
  readonly directories: Directories
  readonly plan: SandboxPlan
}

/** A process in a sandbox, and what that holds of the machine. */
export interface BuiltSandbox {
  readonly body: GuestBody
  readonly content: Pick<SandboxRequest, 'reads' | 'writes' | 'exec'>
  readonly stamp: string
}

/** A process in a sandbox with its plugin's code, and the names of the plugin's directories there. */
export interface PlacedSandbox {
  readonly body: GuestBody
  readonly directories: Directories
}

interface SpareSandbox extends GuestBody {
  readonly place: CodePlace
  readonly content: BuiltSandbox['content']
  readonly stamp: string
  readonly warnings: readonly string[]
}

/** All of a sandboxed plugin but its code. */
interface SandboxShape extends Shape {
  readonly order: SandboxOrder
}

/** How {@link SandboxesAhead} are made. */
export interface SandboxesAheadOptions {
  /** For how many plugins one is kept. */
  readonly size: number
  readonly build: (order: SandboxOrder) => Promise<BuiltSandbox>
  /** Where code is put: a directory of the host's own. */
  readonly directory: () => Promise<string>
}

/** How long after its last process ended a plugin may come back and find a sandbox, ms. */
const comesBackMs = 30_000
/** Long enough for a host to start all its plugins first, ms. */
const refillMs = 500

/**
 * Sandboxes for the next versions of the plugins that were started last. A sandbox holds one plugin's files, so none fits
 * another plugin, and none is ever given to two; what a new version brings is its code, which the host puts where the
 * sandbox may only read. One is taken only while it holds exactly what a new one would.
 */
export class SandboxesAhead implements AsyncDisposable {
  readonly #options: SandboxesAheadOptions
  readonly #spares: SpareBodies<SandboxShape, SpareSandbox>
  readonly #running = new Map<string, Set<GuestBody>>()

  constructor(options: SandboxesAheadOptions) {
    this.#options = options
    this.#spares = new SpareBodies({ size: options.size, refillMs, make: (shape) => this.#make(shape) })
  }

  /** Makes what is missing now. */
  fill(): Promise<void> {
    return this.#spares.fill()
  }

  /** One for this plugin, with its code; undefined when there is none. Another one is made in a while. */
  async take(order: SandboxOrder): Promise<PlacedSandbox | undefined> {
    const { directories, plan } = order
    // Landlock's rules are for what is there when they are made.
    if (plan.programs.bwrap === undefined) return undefined
    const spare = this.#spares.take(shapeOf(order))
    if (spare === undefined) return undefined
    try {
      const isSame = (await sandboxStamp(spare.content)) === spare.stamp
      if (isSame && (await spare.place.fill(directories.code))) {
        for (const sentence of spare.warnings) plan.warn(sentence)
        const { code, exchange } = spare.place
        return { body: spare, directories: { code, data: directories.data, exchange } }
      }
      spare.kill()
      return undefined
    } catch (error) {
      spare.kill()
      throw error
    }
  }

  /** Keeps one for a plugin while it runs, and for a while after that. */
  keepWhile(order: SandboxOrder, body: GuestBody): void {
    const { key } = shapeOf(order)
    const running = this.#running.get(key) ?? new Set()
    this.#running.set(key, running.add(body))
    const forget = (): void => {
      if (running.size > 0 || this.#running.get(key) !== running) return
      this.#running.delete(key)
      this.#spares.forget(key)
    }
    const ended = async (): Promise<void> => {
      await body.ended
      running.delete(body)
      setTimeout(forget, comesBackMs).unref()
    }
    void ended()
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#spares[Symbol.asyncDispose]()
  }

  async #make({ order }: SandboxShape): Promise<SpareSandbox> {
    const place = await makeCodePlace(await this.#options.directory(), dirname(order.directories.exchange))
    const warnings: string[] = []
    const plan = { ...order.plan, warn: (sentence: string): void => void warnings.push(sentence) }
    const directories = { code: place.code, data: order.directories.data, exchange: place.exchange }
    try {
      const { body, content, stamp } = await this.#options.build({ shape: order.shape, directories, plan })
      void body.ended.then(() => place[Symbol.asyncDispose]()).catch(() => undefined)
      return { ...body, place, content, stamp, warnings }
    } catch (error) {
      await place[Symbol.asyncDispose]()
      throw error
    }
  }
}

function shapeOf(order: SandboxOrder): SandboxShape {
  const { exec, trust, limits, uids } = order.plan
  return { key: JSON.stringify([order.directories.data, order.shape.key, exec, trust, limits, uids]), order }
}
