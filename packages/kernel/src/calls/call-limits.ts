import type { ActiveCall, CallingPlugin } from './active-call.ts'
import type { Core } from '../core.ts'
import type { Generation } from '../plugins/generation.ts'
import type { Route } from '../points/point-table.ts'

/**
 * A generation took no more calls: a violation of whoever has them. That is the generation itself, or where its group has as
 * many as it may, the one of the group that has the most.
 */
export function noteFull(core: Core, generation: Generation, taken: 'full' | 'group-full', { message }: Error): void {
  const { supervisor } = core
  const full = taken === 'full' ? generation : supervisor.namespaces.busiest(generation.plugin.namespace)
  if (full === undefined) return
  supervisor.violations.report(full.plugin.id, full.number, { kind: 'limit', limit: 'concurrency', detail: message })
}

/** A plugin called what it was not granted: it tried what it may not, as with a file or a connection. */
export function noteNotPermitted(core: Core, { id, generation }: CallingPlugin, route: Route, { message }: Error): void {
  const permission = route.permission ?? route.label
  core.supervisor.violations.report(id, generation, { kind: 'grant', permission, detail: message })
}

/** A message was too large for the session. */
export function noteTooLarge(core: Core, { plugin, generation, route }: ActiveCall, message: string): void {
  const number = generation?.number ?? plugin.generation
  core.supervisor.violations.report(plugin.id, number, { kind: 'limit', limit: 'message', detail: `${route.label}: ${message}` })
}

/**
 * A call's deadline is over. The plugin's own is a violation of its limit; and whosever it was, the plugin is told that
 * nobody waits any more. One that goes on with many such calls at once holds what nobody gets back, and is ended.
 */
export function noteExpired(core: Core, call: ActiveCall): void {
  const { generation, plugin, route } = call
  if (generation === undefined) return
  const { violations, settings } = core.supervisor
  if (!call.isCallersLimit) {
    const detail = `${route.label} took longer than ${call.limitMs} ms`
    violations.report(plugin.id, generation.number, { kind: 'limit', limit: 'time', detail })
  }
  if (!call.isAtPlugin && generation.instance.abandoned === undefined) return
  core.clock.after(settings.ignoredMs, () => {
    if (generation.ended !== undefined) return
    generation.overdue = [...generation.overdue, call].filter(({ isAtPlugin }) => isAtPlugin)
    const ignored = generation.instance.abandoned?.(settings.ignoredMs / 2) ?? generation.overdue.length
    if (ignored < settings.ignoredCalls) return
    const detail = `${ignored} calls went on for more than ${settings.ignoredMs} ms after their deadlines`
    violations.report(plugin.id, generation.number, { kind: 'limit', limit: 'time', detail }, 'restart')
  })
}
