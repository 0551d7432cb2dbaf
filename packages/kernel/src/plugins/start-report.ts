import type { Core } from '../core.ts'
import type { StartReport } from '../kernel.ts'
import { unavailableReason } from './plugin.ts'

/** What came of the first load, and its event. */
export function startReport(core: Core, tookMs: number): StartReport {
  let ok = true
  let failed = 0
  const plugins = [...core.plugins.values()].map(({ id, candidate, state }) => {
    const isDown = state.name === 'failed' || state.name === 'quarantined'
    if (isDown) failed += 1
    if (isDown && core.criticalityOf(candidate) === 'required') ok = false
    const reason = unavailableReason(state)
    const { version } = candidate
    return reason === undefined ? { id, version, state: state.name } : { id, version, state: state.name, reason }
  })
  plugins.sort((a, b) => (a.id < b.id ? -1 : 1))
  core.events.record({ type: 'kernel.started', plugins: plugins.length, failed, tookMs })
  return { ok, tookMs, plugins }
}
