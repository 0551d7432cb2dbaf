import type { Contribution } from '@backplane/kernel'
import { createSession, type Channel, type Handler, type Session } from '@backplane/rpc'
import { runtimeErrors } from '../errors.ts'
import type { GuestLife } from '../guest/guest-life.ts'
import type { GuestRequest } from '../guest/plugin-scope.ts'
import { startGuest, type Guest } from '../guest/start-guest.ts'
import { guestProfile, type ProfileRequest } from '../profile/guest-profile.ts'
import { hostLinkOverSession } from './host-link-over-session.ts'
import { invokerHandler } from './invoker-handler.ts'

/** Where a guest runs. */
export interface GuestPlace {
  readonly channel: Channel
  /** Asked just before the plugin's code is loaded; answers what is loaded. Throwing refuses the start. */
  readonly beforeLoad: (start: GuestRequest) => GuestRequest
}

/** The host is trusted by its plugins, so what it sends has room; what it takes, it says itself in its `hello`. */
const limits = { messageBytes: 1024 ** 3, inFlight: 1024 ** 2 }

/** Answers the host from the plugin's side: one `start`, then calls, then one `stop`. Answers the session it runs over. */
export function serveGuest({ channel, beforeLoad }: GuestPlace): Session {
  let starting: Promise<Guest> | undefined
  let life: GuestLife | undefined
  let running: Required<Pick<Handler, 'call' | 'stream'>> = notStarted

  const begin = async (request: GuestRequest, signal: AbortSignal): Promise<readonly Contribution[]> => {
    starting = startGuest(beforeLoad(request), hostLinkOverSession(session), signal)
    const guest = await starting
    running = invokerHandler(guest.invoker)
    life = guest.life
    return guest.contributions
  }

  /** A start that was given up cleans up after itself; then there is nothing to stop. */
  const end = async (graceMs: number): Promise<void> => {
    const guest = await starting?.catch(() => undefined)
    await guest?.stop(graceMs)
  }

  /** What the host asks about the plugin itself; undefined for any other target. */
  const lifeCall = (target: string, value: unknown): unknown => {
    switch (target) {
      case 'health':
        return life?.health()
      case 'usage':
        return life?.usage()
      case 'snapshot':
        return life?.snapshot()
      case 'restore':
        return life?.restore(value)
      default:
        return undefined
    }
  }

  const session = createSession(channel, {
    limits,
    trustsPeer: true,
    handler: {
      stream: (target, value, call) =>
        target === 'profile' ? guestProfile(value as ProfileRequest, call.signal) : running.stream(target, value, call),
      call: (target, value, call) => {
        if (target === 'start') return begin(value as GuestRequest, call.signal)
        if (target === 'stop') return end(Number(value))
        return lifeCall(target, value) ?? running.call(target, value, call)
      },
    },
  })
  return session
}

const notStarted: Required<Pick<Handler, 'call' | 'stream'>> = { call: refuse, stream: refuse }

function refuse(): never {
  throw runtimeErrors.error('RUNTIME_EXITED', { plugin: 'the plugin', cause: 'it has not started' })
}
