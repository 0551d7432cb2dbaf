import type { Core } from '../core.ts'
import type { Plugin } from './plugin.ts'

/** Whether a plugin is to run without waiting for its first use. */
export function isEager(core: Core, { candidate }: Plugin): boolean {
  const { declared } = candidate
  if (declared === undefined) return false
  if (declared.activation === 'eager' || core.criticalityOf(candidate) === 'required') return true
  return declared.contributions.some(({ point }) => core.points.find(point)?.point.activation === 'eager')
}
