import type { PlatformError } from '@backplane/sdk'
import type { Core } from '../core.ts'
import type { CallFailure } from '../record.ts'
import type { ActiveCall } from './active-call.ts'

/** Failures kept of one plugin, and characters of each one's text. */
const mostKept = 5
const longestText = 300
const longestCode = 64
const deepestCause = 4

/** Keeps why a call failed, so that whoever asks later is told; without the secrets that were handed out. */
export function rememberFailure(core: Core, call: ActiveCall, error: Error): void {
  const { plugin, route } = call
  const said = { atMs: core.clock.now(), point: route.point, method: route.method, ...toldBy(error) }
  const message = core.redactor.text(said.message).slice(0, longestText)
  const code = said.code === undefined ? undefined : core.redactor.text(said.code)
  plugin.recentFailures = [...(plugin.recentFailures ?? []).slice(1 - mostKept), { ...said, code, message }]
}

/** What it says and what stands behind it, with the code of the deepest that has one: that tells most. */
function toldBy(error: Error): Pick<CallFailure, 'code' | 'message'> {
  let { message } = error
  let code = codeOf(error)
  let { cause } = error
  for (let depth = 0; depth < deepestCause && cause instanceof Error; depth++) {
    if (!message.includes(cause.message)) message += ` (${cause.message})`
    code = codeOf(cause) ?? code
    cause = cause.cause
  }
  return { code, message }
}

function codeOf(error: Error): string | undefined {
  const { code, details } = error as Partial<PlatformError>
  const own = details?.['pluginCode']
  const told: unknown = typeof own === 'string' ? own : code
  return typeof told === 'string' && told !== 'INTERNAL' ? told.slice(0, longestCode) : undefined
}
