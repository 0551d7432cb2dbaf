import { randomUUID } from 'node:crypto'
import type { AuditActor, AuditEntry, AuditTrail, Log } from '@backplane/kernel'
import type { AccessTable } from '../guard/access.ts'
import type { Caller } from '../guard/caller.ts'
import type { Peer } from '../handler.ts'
import { requestActions } from './request-action.ts'

/** A request, as far as it is written down: never its body or its headers. */
export interface AuditedRequest {
  readonly method: string
  /** Without the query. */
  readonly path: string
  /** Undefined as long as nobody knows. */
  readonly caller: Caller | undefined
  readonly peer: Pick<Peer, 'via' | 'address'>
}

/** What a guard tells of requests. */
export interface RequestAudit {
  /**
   * Before a request is routed: what it throws refuses it. Where it is written down, answers what is told of the answer
   * before that is sent.
   */
  readonly begin: (request: AuditedRequest) => Promise<((answered: Response) => Promise<void>) | undefined>
  /** A request was not routed. Nobody waits. */
  readonly refused: (request: AuditedRequest, answered: Response) => void
}

/** How requests are written down. */
export interface RequestAuditOptions {
  /** The guard's. */
  readonly access: AccessTable
  /** What follows when nothing can be written: `refuse` changes nothing, `warn` goes on. Default `refuse`. */
  readonly onFailure?: 'refuse' | 'warn'
  /** Reads too, and not only what changes something or needs `admin`. Default false. */
  readonly all?: boolean
  /** The id of the plugin that a request names. */
  readonly pluginId?: (named: string) => string | undefined
  readonly log?: Log
}

/** Equal refusals within this time are written once, and counted, ms: else whoever is refused could fill the disk. */
const quietMs = 60_000
/** Different ones that are told apart within that time. */
const mostRefusals = 200

/**
 * Writes down each request that changes something, twice: `asked` before it is done, and what came of it, with the same
 * `trace`, before it is answered. Of those that only look it writes down those that need `admin`. Refusals are written too,
 * equal ones once a minute with their number.
 */
export function requestAudit(trail: AuditTrail, options: RequestAuditOptions): RequestAudit {
  const { onFailure = 'refuse', all = false, pluginId = (named) => named, log } = options
  const actionOf = requestActions(options.access)
  const entryOf = ({ method, path, caller, peer }: AuditedRequest): Omit<AuditEntry, 'outcome'> => {
    const { action, subject, plugin } = actionOf(method, path)
    const id = plugin === undefined ? undefined : (pluginId(plugin) ?? plugin)
    return { actor: actorOf(caller, peer), action, subject, plugin: id }
  }
  const attempt = async (entry: AuditEntry, mayFail: boolean): Promise<void> => {
    try {
      await trail.append(entry)
    } catch (error) {
      log?.write({ level: 'error', message: `not in the audit log: ${entry.action} of ${entry.subject} (${entry.outcome})` })
      if (!mayFail) throw error
    }
  }
  const refusals = new Map<string, { count: number; sinceMs: number }>()
  const note = async (request: AuditedRequest, answered: Response): Promise<void> => {
    if (answered.status < 400) return
    const { reason } = await outcomeOf(answered)
    // Nobody has shown who it is, and each is answered without a look at the token.
    if (reason === 'SERVER_TOKEN_RATE_LIMITED' || reason === 'AUDIT_UNWRITABLE') return
    const entry = entryOf(request)
    const count = tally(refusals, `${entry.actor.name} ${request.peer.address} ${entry.action} ${reason}`)
    if (count === undefined) return
    const details = { path: request.path, method: request.method, ...(count > 1 ? { count } : {}) }
    trail.note({ ...entry, outcome: 'refused', reason, details })
  }
  return {
    begin: async (request) => {
      const { scope } = actionOf(request.method, request.path)
      const isLook = request.method === 'GET' || request.method === 'HEAD' || scope === 'read'
      if (isLook && scope !== 'admin' && !all) return undefined
      const entry = { ...entryOf(request), trace: randomUUID().replaceAll('-', '') }
      await attempt({ ...entry, outcome: 'asked' }, onFailure === 'warn' || isLook)
      // What was done cannot be refused any more; that it was asked for is written.
      return async (answered) => attempt({ ...entry, ...(await outcomeOf(answered)) }, true)
    },
    refused: (request, answered) => void note(request, answered),
  }
}

function actorOf(caller: Caller | undefined, { via, address }: AuditedRequest['peer']): AuditActor {
  const peer = via === 'unix' ? 'unix' : address
  return { kind: 'token', name: caller?.name ?? 'unknown', ...(caller === undefined ? {} : { scope: caller.scope }), peer }
}

/** A problem's code is the reason; an answer that is none needs no reason. */
async function outcomeOf(answered: Response): Promise<Pick<AuditEntry, 'outcome' | 'reason' | 'details'>> {
  const details = { status: answered.status }
  if (answered.status < 400) return { outcome: 'ok', details }
  const outcome = answered.status < 500 ? 'refused' : 'failed'
  const isProblem = answered.headers.get('content-type') === 'application/problem+json'
  const problem: unknown = isProblem
    ? await answered
        .clone()
        .json()
        .catch(() => undefined)
    : undefined
  const code: unknown = Reflect.get(Object(problem), 'code')
  return { outcome, reason: typeof code === 'string' ? code : undefined, details }
}

/** How many equal ones there were since the last that was told; undefined when this one is not told. */
function tally(refusals: Map<string, { count: number; sinceMs: number }>, key: string): number | undefined {
  const nowMs = Date.now()
  const known = refusals.get(key)
  if (known !== undefined && nowMs - known.sinceMs < quietMs) {
    known.count += 1
    return undefined
  }
  if (known === undefined && refusals.size >= mostRefusals) {
    for (const [other, { sinceMs }] of refusals) if (nowMs - sinceMs >= quietMs) refusals.delete(other)
    if (refusals.size >= mostRefusals) return undefined
  }
  refusals.set(key, { count: 0, sinceMs: nowMs })
  return (known?.count ?? 0) + 1
}
