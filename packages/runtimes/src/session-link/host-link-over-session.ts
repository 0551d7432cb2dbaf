import type { HostLink } from '@backplane/kernel'
import type { Session } from '@backplane/rpc'
import { invokerOverSession, outgoing } from './invoker-over-session.ts'

/** How long after lines were dropped the host is told how many, ms, unless another line goes before. */
const tellDroppedMs = 1_000

/** Sends log lines; what the host does not take is counted, and told with the next one that goes. */
function logOverSession(session: Session): HostLink['log'] {
  let dropped = 0
  let telling: NodeJS.Timeout | undefined
  const tell = (): void => {
    telling = undefined
    if (session.notify('dropped', dropped)) dropped = 0
    else tellLater()
  }
  const tellLater = (): void => {
    telling ??= setTimeout(tell, tellDroppedMs).unref()
  }
  return (line) => {
    if (session.notify('log', line)) return
    dropped += 1
    tellLater()
  }
}

/** The host as a plugin behind a session sees it; what {@link hostLinkHandler} answers. */
export function hostLinkOverSession(session: Session): HostLink {
  return {
    ...invokerOverSession(session),
    emit: (point, value, context) => session.call(`emit ${point}`, value, outgoing(context)),
    secret: async (name) => String(await session.call('secret', name)),
    state: {
      get: (key) => session.call('state.get', key),
      set: async (key, value) => {
        await session.call('state.set', { key, value })
      },
      delete: async (key) => {
        await session.call('state.delete', key)
      },
      keys: async (prefix) => (await session.call('state.keys', prefix)) as readonly string[],
    },
    log: logOverSession(session),
    // Only a runtime says this; what Node denies is told beside it.
    violated: () => undefined,
    used: () => undefined,
  }
}
