import { definePlugin, type Call } from '@backplane/sdk'
import {
  command,
  metricsService,
  panel,
  postVmShutdown,
  preVmStart,
  uiEvent,
  vmStarted,
  type VmConfig,
} from '@exliar-vfio/points'
import { perfErrors } from './errors.ts'
import { beginRun, summarise, summaryLine, type RunTotals } from './perf-stats.ts'
import { RunHistory } from './run-history.ts'
import { RunWatch } from './run-watch.ts'
import { perfOutput, performancePanel } from './show-runs.ts'

interface PerfSettings {
  readonly interval_seconds: number
  readonly keep_runs: number
}

export default definePlugin<PerfSettings>((scope) => {
  const { log, signal } = scope
  const history = new RunHistory(scope.state, scope.config.keep_runs)
  const metrics = scope.use(metricsService, 'core')
  const watch = new RunWatch({ metrics, history, intervalMs: scope.config.interval_seconds * 1_000, log, signal })
  scope.defer(() => watch[Symbol.dispose]())

  // Watching is no reason to keep a machine from starting, so nothing here throws; the configuration goes on as it is.
  const begin = async (config: VmConfig, call: Call): Promise<void> => {
    const run = beginRun(config, Date.now())
    try {
      if (watch.begin(run)) await history.keep(run)
      else call.log.warn('too many machines are watched already', { machine: config.name })
    } catch (error) {
      call.log.warn('what is seen of a machine cannot be kept', { machine: config.name, error })
    }
  }
  scope.on(preVmStart, 'begin', begin)
  // The process that was asked before the start may be gone by now; where it is this one, it watches already.
  scope.on(vmStarted, 'watch', async (config, call) => {
    if (!watch.has(config.uuid)) await begin(config, call)
  })

  scope.on(postVmShutdown, 'summarise', async (stats, call) => {
    const seen = watch.end(stats.uuid) ?? (await history.kept(stats.uuid))
    const run = summarise(seen, stats)
    call.log.info(summaryLine(run), { ...run })
    await history.add(run)
  })

  scope.provide(panel, 'performance', {
    render: async () => performancePanel(await running(), await history.runs()),
  })

  scope.on(uiEvent, 'performance', async (event) => {
    if (event.panel === `${scope.plugin.id}/performance` && event.action === 'clear') await history.clear()
  })

  scope.provide(command, 'perf', {
    run: async ({ args }) => {
      const [machine, ...others] = args
      const wrong = machine?.startsWith('-') === true ? machine : others[0]
      if (wrong !== undefined) throw perfErrors.error('PERF_ARGUMENT_UNKNOWN', { argument: wrong })
      const isMeant = (run: { readonly machine: string }): boolean => machine === undefined || run.machine === machine
      return perfOutput((await running()).filter(isMeant), (await history.runs()).filter(isMeant))
    },
  })

  scope.snapshot(() => watch.runs())
  scope.restore((runs) => {
    for (const run of runs as readonly RunTotals[]) watch.begin(run)
  })

  /** What this process sees, and what another one, that watches, has written down. */
  async function running(): Promise<readonly RunTotals[]> {
    const own = watch.runs()
    const others = await history.running(Date.now())
    return [...own, ...others.filter(({ uuid }) => !own.some((run) => run.uuid === uuid))]
  }
})
