import type { HostLink, Instance, NetworkUse, StartRequest, UseVerb } from '@backplane/kernel'
import { createSession } from '@backplane/rpc'
import type { Directories, Tier } from '@backplane/sdk'
import { runtimeErrors } from '../errors.ts'
import type { GuestRequest } from '../guest/plugin-scope.ts'
import type { ProfileLimits } from '../profile/bounded-profile.ts'
import { checkedContributions } from './checked-contributions.ts'
import type { GuestBody } from './guest-body.ts'
import { hostLinkHandler, type AuditedGrants } from './host-link-handler.ts'
import { SessionInstance } from './session-instance.ts'
import { sessionLimits } from './session-limits.ts'

/** A body made or taken for one start, and how things are called from inside it. */
export interface Placement {
  readonly body: GuestBody
  readonly code: { readonly kind: 'files'; readonly directory: string; readonly main: string; readonly adapter?: string }
  readonly directories: Directories
  /** What else the guest is told. */
  readonly extra?: object
  /** What went to the network through the host. */
  readonly network?: (() => NetworkUse) | undefined
  /** In audit mode: what of what the guest tells is a use of what it was granted. */
  readonly audited?: AuditedGrants | undefined
  /** What uses are told of. */
  readonly tellsUse?: readonly UseVerb[]
}

/** For whom, and how, a body is started. */
export interface SessionStart {
  readonly host: HostLink
  readonly signal: AbortSignal
  readonly hangMs?: number | undefined
  readonly profileLimits?: Partial<ProfileLimits> | undefined
}

/** How long a start that was given up may clean up, ms. */
const givenUpGraceMs = 500

/**
 * Starts a plugin in a body. On error the body has ended.
 * Errors: as {@link Runtime.start}; `POINT_UNDECLARED` also for a guest that answers what it may not.
 */
export async function startOverSession(
  tier: Tier,
  placement: Placement,
  request: StartRequest,
  { host, signal, hangMs, profileLimits }: SessionStart,
): Promise<Instance> {
  const { body, directories, network, audited, tellsUse } = placement
  const plugin = request.plugin.id
  body.output.attach(host.log, request.limits)
  const session = createSession(body.openChannel(), {
    handler: hostLinkHandler(host, plugin, body.output, audited),
    limits: sessionLimits(request.limits),
  })
  const instance = new SessionInstance({ tier, plugin, body, session, directories, hangMs, network, tellsUse, profileLimits })
  try {
    const answer = await instance.start(guestRequest(placement, request), signal)
    instance.contributions = checkedContributions(answer, request)
    return instance
  } catch (error) {
    await instance.stop(givenUpGraceMs)
    throw signal.aborted ? signal.reason : error
  }
}

function guestRequest({ code, directories, extra }: Placement, request: StartRequest): GuestRequest {
  const { plugin, host, config, declared, migrate } = request
  return { plugin, host, code, config, declared, directories, ...(migrate === undefined ? {} : { migrate }), ...extra }
}

/** The code of a plugin that runs apart from its host. Errors: `RUNTIME_CODE_UNSUPPORTED`. */
export function filesOf(request: StartRequest, tier: Tier): Placement['code'] {
  if (request.code.kind === 'files') return request.code
  const plugin = request.plugin.id
  throw runtimeErrors.error('RUNTIME_CODE_UNSUPPORTED', { plugin, tier }, { plugin })
}
