import type { Core } from '../core.ts'
import type { Generation } from './generation.ts'
import type { Plugin } from './plugin.ts'
import type { ExitCause, LimitAction, LimitName, TakenAction, Violation } from '../ports.ts'
import { messageOf } from '../calls/thrown.ts'

/** What follows from a violation when neither plugin nor host say. */
export const defaultActions: Readonly<Record<LimitName, LimitAction>> = Object.freeze({
  memory: 'restart',
  cpu: 'warn',
  processes: 'restart',
  'open-files': 'warn',
  'file-size': 'warn',
  tmp: 'restart',
  data: 'restart',
  concurrency: 'refuse',
  time: 'refuse',
  stall: 'restart',
  message: 'refuse',
  state: 'refuse',
  output: 'warn',
})

/** Limits that are kept by refusing or ending the call; whatever else is wanted comes on top of that. */
const refused: ReadonlySet<LimitName> = new Set(['concurrency', 'time', 'message', 'state'])
/** After these nothing of the generation runs. */
const endings: ReadonlySet<TakenAction> = new Set(['restart', 'quarantine'])
/** Equal violations within this time are told once, with their number, ms. */
const quietMs = 1_000
/** Different violations of one plugin that are told apart within that time; a hostile one invents new ones. */
const mostTold = 16
const longestDetail = 500

interface Told {
  readonly timer: Disposable
  /** Since it was told. */
  count: number
  newest: News
}

interface News {
  readonly violation: Violation
  readonly action: TakenAction | undefined
  readonly generation: number
}

/** Counts violations, tells about them — not more often than anybody can read — and does what is to follow. */
export class Violations implements Disposable {
  readonly #core: Core
  readonly #told = new Map<Plugin, Map<string, Told>>()
  /** What the settings say of what serves: a flood of violations does not read them each time. */
  readonly #said = new WeakMap<Generation, Partial<Record<LimitName, LimitAction>>>()

  constructor(core: Core) {
    this.#core = core
  }

  /** `action`, when what follows is already known, or done. */
  report(id: string, number: number, given: Violation, action?: TakenAction): void {
    const plugin = this.#core.plugins.get(id)
    if (plugin === undefined) return
    const violation = this.#clean(given)
    if (violation.kind === 'grant') {
      plugin.denials += 1
      this.#tell(plugin, { violation, action: undefined, generation: number })
      return
    }
    const counts = (plugin.violations ??= new Map())
    counts.set(violation.limit, (counts.get(violation.limit) ?? 0) + 1)
    const running = this.#running(plugin, number)
    const wanted = action ?? this.#possible(violation.limit, this.wanted(plugin, violation.limit), running)
    const taken = running === undefined ? wanted : this.#onProbation(running, violation.limit, wanted)
    this.#tell(plugin, { violation, action: taken, generation: number })
    running?.exceeded.add(violation.limit)
    if (running === undefined) return
    if (taken === 'move-back') plugin.probation?.overLimit(violation.limit, violation.detail)
    if (!endings.has(wanted)) return
    const verdict = wanted === 'quarantine' ? 'quarantine' : undefined
    this.#core.supervisor.end(running, causeOf(violation.limit, violation.detail, running), verdict)
  }

  /** A new version that is ended, or found to be worse, is taken back: it is neither started again nor put away. */
  #onProbation(running: Generation, limit: LimitName, wanted: TakenAction): TakenAction {
    const { probation } = running.plugin
    if (probation?.watches(running) !== true) return wanted
    return endings.has(wanted) || probation.isWorse(limit) ? 'move-back' : wanted
  }

  [Symbol.dispose](): void {
    for (const told of this.#told.values()) for (const { timer } of told.values()) timer[Symbol.dispose]()
    this.#told.clear()
  }

  #clean(given: Violation): Violation {
    const detail = this.#core.redactor.text(given.detail).slice(0, longestDetail)
    if (given.kind === 'limit') return { kind: 'limit', limit: given.limit, detail }
    return { kind: 'grant', permission: this.#core.redactor.text(given.permission).slice(0, longestDetail), detail }
  }

  /** What is to follow when a plugin goes over a limit: the word for this plugin, or the host's, or what is usual. */
  wanted(plugin: Plugin, limit: LimitName): LimitAction {
    const own = this.#saidOf(plugin)[limit]
    return own ?? this.#core.options.onLimit?.[limit] ?? defaultActions[limit] ?? 'warn'
  }

  #saidOf({ candidate, serving }: Plugin): Partial<Record<LimitName, LimitAction>> {
    const known = serving === undefined ? undefined : this.#said.get(serving)
    if (known !== undefined) return known
    let said: Partial<Record<LimitName, LimitAction>> = {}
    try {
      said = this.#core.settingsOf(candidate).onLimit ?? said
    } catch {
      // settings that cannot be read keep it from starting; until then the host's word counts
    }
    if (serving !== undefined) this.#said.set(serving, said)
    return said
  }

  #running(plugin: Plugin, number: number): Generation | undefined {
    const { running } = this.#core.supervisor
    for (const one of running) if (one.plugin === plugin && one.number === number && one.ended === undefined) return one
    return undefined
  }

  /** What really follows: a call that goes over a limit is refused in any case, and nothing is ended that does not run. */
  #possible(limit: LimitName, wanted: LimitAction, running: Generation | undefined): LimitAction {
    const least = refused.has(limit) ? 'refuse' : 'warn'
    if (wanted === 'warn' || wanted === 'refuse') return least
    if (running === undefined) return least
    // a package is not put away for what a generation did that serves no more
    return wanted === 'quarantine' && running.plugin.serving !== running ? 'restart' : wanted
  }

  #tell(plugin: Plugin, news: News): void {
    const told = this.#told.get(plugin) ?? new Map<string, Told>()
    this.#told.set(plugin, told)
    const { violation, action } = news
    const key = violation.kind === 'limit' ? violation.limit : `grant ${violation.permission}`
    const known = told.get(key)
    if (known !== undefined && (action === undefined || !(endings.has(action) || action === 'move-back'))) {
      known.count += 1
      known.newest = news
      return
    }
    if (known === undefined && told.size >= mostTold) return
    known?.timer[Symbol.dispose]()
    this.#write(plugin, news, (known?.count ?? 0) + 1)
    told.set(key, this.#quiet(plugin, key, news))
  }

  /** For a while equal ones are only counted; then they are told, and it goes on for as long as there are any. */
  #quiet(plugin: Plugin, key: string, newest: News): Told {
    const timer = this.#core.clock.after(quietMs, () => {
      const told = this.#told.get(plugin)
      const known = told?.get(key)
      if (known !== undefined && known.count > 0) {
        this.#write(plugin, known.newest, known.count)
        told?.set(key, this.#quiet(plugin, key, known.newest))
        return
      }
      told?.delete(key)
      if (told?.size === 0) this.#told.delete(plugin)
    })
    return { timer, count: 0, newest }
  }

  #write(plugin: Plugin, { violation, action, generation }: News, count: number): void {
    const { detail } = violation
    const about = { plugin: plugin.id, generation, detail, count }
    const times = count === 1 ? '' : `, ${count} times`
    if (violation.kind === 'limit') {
      const { limit } = violation
      this.#core.events.record({ type: 'limit.exceeded', ...about, limit, action: action ?? 'warn' })
      this.#log(plugin, generation, `it went over its limit of ${limit}: ${detail}${times} (${action})`)
    } else {
      const { permission } = violation
      this.#core.events.record({ type: 'grant.denied', ...about, permission })
      this.#log(plugin, generation, `it was not granted ${permission}: ${detail}${times}`)
    }
    try {
      this.#core.options.onViolation?.({ plugin: plugin.id, generation, violation, count, action })
    } catch (error) {
      this.#core.log.write({ level: 'error', message: `onViolation threw: ${messageOf(error)}`, plugin: plugin.id })
    }
  }

  #log(plugin: Plugin, generation: number, message: string): void {
    this.#core.log.write({ level: 'warn', message, plugin: plugin.id, generation })
  }
}

function causeOf(limit: LimitName, detail: string, { lastLines }: Generation): ExitCause {
  if (limit === 'memory') return { kind: 'memory', detail, lastLines: lastLines() }
  if (limit === 'stall') return { kind: 'hang', detail, lastLines: lastLines() }
  return { kind: 'limit', detail: `${limit}: ${detail}`, lastLines: lastLines() }
}
