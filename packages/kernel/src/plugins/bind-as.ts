import type { Core } from '../core.ts'
import type { Candidate, Plugin } from './plugin.ts'

/** Makes what a package declares reachable in place of what the one before it declared. Errors: `POINT_CONFLICT`. */
export function bindAs(core: Core, plugin: Plugin, candidate: Candidate): void {
  const { candidate: old } = plugin
  core.points.unbind(plugin)
  plugin.candidate = candidate
  plugin.limits = undefined
  try {
    core.points.bind(plugin)
  } catch (error) {
    plugin.candidate = old
    core.points.bind(plugin)
    throw error
  }
}
