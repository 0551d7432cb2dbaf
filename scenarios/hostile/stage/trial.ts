import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import type { KernelEvent } from '@backplane/kernel'
import { HostDown, type HostProcess, type Outcome } from './host-process.ts'
import type { Listeners } from './listeners.ts'
import { callMs } from './third-party.ts'
import type { TierName } from './tiers.ts'

/** What an attack is tried with: a host with plugins in one tier, and what is outside to be attacked. */
export class Trial {
  readonly tier: TierName
  readonly root: string
  readonly listeners: Listeners
  readonly host: HostProcess
  /** What is in the file that nobody was granted. */
  readonly secret: string
  readonly #notes: string[] = []
  #after = 0
  /** Those whose attack is that they do not start. */
  readonly #mayNotRun = new Set(['hangs-in-start', 'crash-loop'])

  constructor(parts: Pick<Trial, 'tier' | 'root' | 'listeners' | 'host' | 'secret'>) {
    this.tier = parts.tier
    this.root = parts.root
    this.listeners = parts.listeners
    this.host = parts.host
    this.secret = parts.secret
  }

  /** Evidence since the last time, for whoever has to find out why. */
  takeNotes(): string {
    return this.#notes.splice(0).join('\n')
  }

  note(text: string): void {
    this.#notes.push(text.slice(0, 600))
  }

  path(name: string): string {
    return join(this.root, name)
  }

  /** How long it took until an offender was stopped, ms, by what it did. */
  readonly stoppedAfterMs: Map<string, number> = new Map()

  measured(what: string, tookMs: number): void {
    this.stoppedAfterMs.set(what, Math.round(tookMs))
  }

  /** A plugin's data directory, as the host has it. */
  data(plugin: string): string {
    return this.path(`data/plugins/hostile/${plugin}/data`)
  }

  /**
   * Runs one attack that is to come to something inside the plugin. One whose plugin was just ended by an earlier attack,
   * or came too slowly, is tried again: it must not look as if it had been stopped. Errors: {@link HostDown}.
   */
  async attack(plugin: string, name: string, given: object = {}, timeoutMs: number = callMs): Promise<Outcome> {
    const outcome = await this.provoke(plugin, name, given, timeoutMs)
    if (!/^(?:PLUGIN_EXITED|CALL_DEADLINE)$/.test(outcome.failed?.code ?? '')) return outcome
    const again = await this.provoke(plugin, name, given, timeoutMs + 5_000)
    if (again.failed?.code === 'CALL_DEADLINE') throw new Error(`${name} of ${plugin} came to no end`)
    return again
  }

  /** Runs one attack that may end its plugin. Errors: {@link HostDown}. */
  async provoke(plugin: string, name: string, given: object = {}, timeoutMs: number = callMs): Promise<Outcome> {
    return this.#call(plugin, 'run', { name, ...given }, timeoutMs)
  }

  /** Calls many times at once; how often each code came, and when the first. */
  async crowd(
    plugin: string,
    name: string,
    { count, timeoutMs }: { readonly count: number; readonly timeoutMs: number },
  ): Promise<{ readonly codes: Readonly<Record<string, number>>; readonly firstRefusalMs: number }> {
    const order = { plugin: plugin === 'everything' ? 'all' : plugin, method: 'run', value: { name }, timeoutMs }
    const codes: Record<string, number> = {}
    const began = performance.now()
    let firstRefusalMs = Infinity
    const one = async (): Promise<void> => {
      const { failed } = await this.host.ask('call', order, timeoutMs + 3_500)
      firstRefusalMs = Math.min(firstRefusalMs, performance.now() - began)
      const code = failed?.code ?? 'answered'
      codes[code] = (codes[code] ?? 0) + 1
    }
    await Promise.all(Array.from({ length: count }, one))
    return { codes, firstRefusalMs }
  }

  /** Asks for an answer that has a form. */
  async count(kind: string): Promise<Outcome> {
    return this.#call('talker', 'count', { kind }, callMs)
  }

  /** In the sandbox: the same attack by a program that Node's permission model does not hold. */
  async bare(name: string, given: object = {}, timeoutMs = 10_000): Promise<Outcome> {
    return this.attack('runner', name, given, timeoutMs)
  }

  /** Events of earlier attacks do not count from now on; those of an attack that was begun at the beginning all do. */
  async forgetEvents(wasBegun: boolean): Promise<void> {
    this.#after = wasBegun ? 0 : await this.host.ask('newestEvent')
  }

  /** Waits for an event of this attack. */
  async event(matches: (event: KernelEvent) => boolean, waitMs: number): Promise<KernelEvent | undefined> {
    return this.until(async () => (await this.host.ask('events', { after: this.#after })).findLast(matches), waitMs)
  }

  /** Asks again and again; undefined when it never came. */
  async until<T>(ask: () => Promise<T | undefined>, waitMs: number): Promise<T | undefined> {
    const givenUpAtMs = Date.now() + waitMs
    for (;;) {
      const found = await ask()
      if (found !== undefined || Date.now() > givenUpAtMs) return found
      await delay(25)
    }
  }

  /** How often the plugin ended so far. */
  async ends(plugin: string): Promise<number> {
    return (await this.#exits(plugin)).length
  }

  /** Waits until it ended once more than `before`; answers why. */
  async ended(plugin: string, before: number, waitMs: number): Promise<string | undefined> {
    const cause = await this.until(async () => {
      const exits = await this.#exits(plugin)
      return exits.length > before ? exits.at(-1) : undefined
    }, waitMs)
    this.note(`${plugin} ended: ${JSON.stringify(cause)}`)
    return cause?.kind
  }

  async #exits(plugin: string): Promise<readonly { readonly kind: string }[]> {
    const events = await this.host.ask('events')
    return events.flatMap((event) =>
      event.type === 'plugin.exited' && event.plugin === `hostile/${plugin}` ? [event.cause] : [],
    )
  }

  async #call(plugin: string, method: 'run' | 'count', value: unknown, timeoutMs: number): Promise<Outcome> {
    const provider = plugin === 'everything' ? 'all' : plugin
    const order = { plugin: provider, method, value, timeoutMs }
    let { answer, failed, told } = await this.host.ask('call', order, timeoutMs + 3_500)
    // One that just ended may have to wait a moment.
    for (let tries = 0; tries < 5 && waits(failed) && !this.#mayNotRun.has(plugin); tries++) {
      await delay(20)
      ;({ answer, failed, told } = await this.host.ask('call', order, timeoutMs + 3_500))
    }
    const outcome = failed === undefined ? asOutcome(answer, method) : { failed }
    if (/is not a function/.test(outcome.code ?? '')) throw new Error(`${plugin} has no attack ${JSON.stringify(value)}`)
    if (neverRan.test(failed?.code ?? '') && !this.#mayNotRun.has(plugin)) {
      throw new Error(`${plugin} was never asked: ${failed?.code} ${failed?.message}`)
    }
    this.note(`${plugin} ${JSON.stringify(value)} → ${JSON.stringify(outcome)} ${JSON.stringify(told)}`)
    return outcome
  }
}

/** Errors that would let an attack that was never tried look like one that was stopped. */
const neverRan = /^(?:POINT_UNKNOWN|PLUGIN_UNAVAILABLE|POLICY_|PROVIDER_|CALL_METHOD_MISSING|CALL_QUEUE|BREAKER|KERNEL_)/

function waits(failed: Outcome['failed']): boolean {
  return failed?.code === 'PLUGIN_UNAVAILABLE' && failed.message.includes('taken again')
}

/** A plugin answers what an attack came to; what is not in that form is what it got. */
function asOutcome(answer: unknown, method: 'run' | 'count'): Outcome {
  if (method === 'count') return { value: answer }
  return Object(answer) as Outcome
}

/** Whether an attack got anything at all. */
export function got(outcome: Outcome): boolean {
  return outcome.value !== undefined && outcome.value !== null && outcome.value !== false
}

/** Processor time of processes so far, ms. */
export async function processorMs(pids: readonly number[]): Promise<number> {
  const times = await Promise.all(
    pids.map(async (pid) => {
      const stat = await readFile(`/proc/${pid}/stat`, 'utf8').catch(() => '')
      const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ')
      return (Number(fields[11] ?? 0) + Number(fields[12] ?? 0)) * 10
    }),
  )
  return times.reduce((sum, ms) => sum + (Number.isNaN(ms) ? 0 : ms), 0)
}

export { HostDown }
