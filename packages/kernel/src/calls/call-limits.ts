import type { ActiveCall } from './active-call.ts'
import type { Core } from '../core.ts'
import type { Plugin } from '../plugins/plugin.ts'

/** A call was refused without the plugin being asked: where that was a limit of the plugin, it is a violation. */
export function noteRefused(core: Core, plugin: Plugin, error: Error): void {
  const code: unknown = Reflect.get(error, 'code')
  if (code !== 'CALL_QUEUE_FULL' && code !== 'NAMESPACE_LIMIT') return
  const number = plugin.serving?.number ?? plugin.generation
  core.supervisor.violations.report(plugin.id, number, { kind: 'limit', limit: 'concurrency', detail: error.message })
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
