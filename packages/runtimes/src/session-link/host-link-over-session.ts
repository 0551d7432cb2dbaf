import type { HostLink } from '@backplane/kernel'
import type { Session } from '@backplane/rpc'
import { invokerOverSession, outgoing } from './invoker-over-session.ts'

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
    log: (line) => session.notify('log', line),
    // Only a runtime says this, and it is on the host's side.
    violated: () => undefined,
  }
}
