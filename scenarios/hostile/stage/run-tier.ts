import { mkdtemp } from 'node:fs/promises'
import { join } from 'node:path'
import { allCases } from '../cases/all-cases.ts'
import type { Case, Verdict } from '../cases/case.ts'
import { HostDown, HostProcess } from './host-process.ts'
import { layOut } from './lay-out.ts'
import { Listeners } from './listeners.ts'
import type { TierName } from './tiers.ts'
import { Trial } from './trial.ts'

/** What came of one case in one tier, and the evidence for whoever has to find out why. */
export interface CaseResult {
  readonly id: string
  readonly verdict: Verdict
  readonly notes: string
}

/** How it went for everybody else, ms. */
export interface Others {
  readonly quietMs: readonly number[]
  readonly attackedMs: readonly number[]
  readonly healthMs: readonly number[]
  readonly failures: readonly string[]
}

/** One tier's run. */
export interface TierResult {
  readonly cases: readonly CaseResult[]
  readonly others: Others
  readonly stoppedAfterMs: Readonly<Record<string, number>>
  /** Whether the machine's control groups hold plugins of this tier. */
  readonly hasGroups: boolean
  /** Processes that were there when the host had been stopped. */
  readonly left: readonly number[]
}

/** What a file that nobody was granted holds; no output may. */
const secret = 'canary-beside-everything'
/**
 * How long a host may be silent before it counts as down, ms: where an attack is known to make it stand still, that is soon
 * believed; where attack and host share a thread, an attack alone takes its time on a busy machine.
 */
const patienceMs = { down: 1_500, os: 3_000, process: 3_000, contained: 6_000, trusted: 6_000 } as const
/** How long calls are measured with nothing else going on, ms. */
const quietMs = 2_000

/** Runs every case in one tier, below a directory of its own. `filter` is a part of ids, for trying one. */
export async function runTier(tier: TierName, root: string, filter = ''): Promise<TierResult> {
  const cases = allCases.filter(({ id, expected }) => id.includes(filter) && typeof expected[tier] === 'string')
  await using run = new TierRun(tier, root)
  const [first, last] = order(cases, tier)
  for (const one of first) await run.begin(one)
  for (const one of first.filter(({ begin }) => begin === undefined)) await run.try(one)
  for (const one of first.filter(({ begin }) => begin !== undefined)) await run.try(one)
  for (const one of last) await run.try(one)
  return run.finish()
}

/** What ends the host comes last, so that what was begun before is not lost. */
function order(cases: readonly Case[], tier: TierName): readonly [first: readonly Case[], last: readonly Case[]] {
  const ends = ({ expected, spoils, strict }: Case): boolean =>
    expected[tier] === 'down' || spoils?.includes(tier) === true || strict === true
  return [cases.filter((one) => !ends(one)), cases.filter(ends)]
}

class TierRun implements AsyncDisposable {
  readonly #tier: TierName
  readonly #root: string
  readonly #results: CaseResult[] = []
  readonly #others = { quietMs: [] as number[], attackedMs: [] as number[], healthMs: [] as number[], failures: [] as string[] }
  readonly #stoppedAfterMs = new Map<string, number>()
  readonly #left: number[] = []
  #hasGroups = false
  #current: { readonly trial: Trial; readonly strict: boolean } | undefined

  constructor(tier: TierName, root: string) {
    this.#tier = tier
    this.#root = root
  }

  async begin({ begin }: Case): Promise<void> {
    if (begin === undefined || this.#tier === 'contained' || this.#tier === 'trusted') return
    await begin(await this.#trial(false))
  }

  async try(one: Case): Promise<void> {
    const trial = await this.#trial(one.strict === true)
    const { host } = trial
    host.patienceMs = one.expected[this.#tier] === 'down' ? patienceMs.down : patienceMs[this.#tier]
    host.takeHealth()
    await host.ask('load')
    trial.takeNotes()
    await trial.forgetEvents(one.begin !== undefined)
    const began = performance.now()
    let verdict = await verdictOf(one, trial)
    if (verdict !== 'down' && !(await host.lives())) verdict = 'down'
    let notes = `${Math.round(performance.now() - began)} ms\n${trial.takeNotes()}`
    if (verdict === 'stopped' || verdict === 'contained') {
      const { tookMs, failures } = await host.ask('load')
      this.#others.attackedMs.push(...tookMs)
      this.#others.healthMs.push(...host.takeHealth())
      this.#others.failures.push(...failures.map((failure) => `${one.id}: ${failure}`))
    }
    for (const [what, ms] of trial.stoppedAfterMs) this.#stoppedAfterMs.set(what, ms)
    if (verdict === 'down') notes += `\n${host.output.slice(-500)}`
    this.#results.push({ id: one.id, verdict, notes })
    if (verdict === 'down' || one.spoils?.includes(this.#tier) === true || one.strict === true) await this.#endHost()
  }

  async finish(): Promise<TierResult> {
    await this.#endHost()
    return {
      cases: this.#results,
      others: this.#others,
      stoppedAfterMs: Object.fromEntries(this.#stoppedAfterMs),
      left: this.#left,
      hasGroups: this.#hasGroups,
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#endHost()
  }

  async #trial(strict: boolean): Promise<Trial> {
    if (this.#current !== undefined && this.#current.strict !== strict) await this.#endHost()
    this.#current ??= { trial: await this.#startHost(strict), strict }
    return this.#current.trial
  }

  async #startHost(strict: boolean): Promise<Trial> {
    const root = await mkdtemp(join(this.#root, `${this.#tier}-`))
    await layOut(root, secret)
    const listeners = await Listeners.open(root)
    const host = await HostProcess.start(this.#tier, root, strict ? 'strict' : 'usual')
    if (this.#others.quietMs.length === 0) {
      const record = await host.ask('record', { plugin: 'hostile/innocent' })
      this.#hasGroups = record?.enforcement.some(({ what, level }) => what === 'limit:processes' && level === 'exact') ?? false
      await host.ask('load')
      await new Promise((resolve) => setTimeout(resolve, quietMs))
      this.#others.quietMs.push(...(await host.ask('load')).tookMs)
    }
    return new Trial({ tier: this.#tier, root, listeners, host, secret })
  }

  /** A host that can still be stopped is stopped as it should be, and leaves nothing. */
  async #endHost(): Promise<void> {
    const current = this.#current
    this.#current = undefined
    if (current === undefined) return
    const { host, listeners } = current.trial
    const tree = await host.tree()
    if (!(await host.lives())) host.kill()
    await host[Symbol.asyncDispose]()
    await listeners[Symbol.asyncDispose]()
    this.#left.push(...(await stillThere(tree)))
  }
}

async function verdictOf(one: Case, trial: Trial): Promise<Verdict> {
  try {
    return await one.run(trial)
  } catch (error) {
    if (error instanceof HostDown) return 'down'
    trial.note(String(error))
    return 'open'
  }
}

/** Those of a tree that outlived it; the kernel is given a moment to end them. */
async function stillThere(pids: readonly number[]): Promise<readonly number[]> {
  const { isAlive } = await import('../../support/hypervisord.ts')
  for (let look = 0; look < 40; look++) {
    const alive = await Promise.all(pids.map(isAlive))
    if (!alive.includes(true)) return []
    await new Promise((resolve) => setTimeout(resolve, 50))
  }
  const alive = await Promise.all(pids.map(isAlive))
  return pids.filter((_, at) => alive[at])
}
