import type {
  Admission,
  ApprovalEntry,
  AuditEntry,
  AuditTrail,
  EndedCall,
  EventLog,
  KernelEvent,
  RecordedEvent,
  StateName,
} from '@backplane/kernel'

/** States that say that a plugin runs, or why it does not; those between them say nothing to whoever looks back. */
const told: ReadonlySet<StateName> = new Set(['active', 'blocked', 'stopped', 'disabled', 'failed', 'quarantined'])
const bad: ReadonlySet<StateName> = new Set(['blocked', 'failed', 'quarantined'])

/** What is left out of an audit log unless it is to hold everything. */
const everyday: ReadonlySet<KernelEvent['type']> = new Set(['breaker.changed', 'call.fell-back', 'plugin.drained'])

/** Which events are written down. */
export interface AuditKernelOptions {
  /** Also those that decide nothing. Default false. */
  readonly all?: boolean
  /** Reads of secrets by plugins. Default true. */
  readonly secretReads?: boolean
}

/**
 * Writes down what a kernel decided and what happened to its plugins: starts and ends, updates and moving back, limits,
 * permissions and egress denied, secrets read. Also what its log still has from before; dispose to stop.
 */
export function auditKernel(events: EventLog, trail: AuditTrail, options: AuditKernelOptions = {}): Disposable {
  const write = ({ event, atMs }: RecordedEvent): void => {
    const { type } = event
    if (everyday.has(type) && options.all !== true) return
    if (type === 'secret.read' && options.secretReads === false) return
    const entry = entryOf(event)
    if (entry !== undefined) trail.note({ ...entry, atMs })
  }
  for (const recorded of events.since(0).events) write(recorded)
  return events.subscribe(write)
}

/** Writes down each verdict before what it lets through can run. What an admission decides is not changed by it. */
export function auditAdmission(admission: Admission, trail: AuditTrail): Admission {
  return {
    ...admission,
    admit: async (asked, signal) => {
      const { id, version, source, staged } = asked
      const about = { actor: host, action: 'plugin.admit', subject: `${id} ${version}`, plugin: id }
      const details = { source, digest: staged.digest }
      try {
        const decision = await admission.admit(asked, signal)
        const { level, publisher, waived } = decision.ok ? decision.trust : { level: '', waived: [] }
        const reason = decision.ok ? [level, publisher ?? [], waived].flat().join('; ') : decision.reason
        trail.note({ ...about, outcome: decision.ok ? 'ok' : 'refused', reason, details })
        return decision
      } catch (error) {
        trail.note({ ...about, outcome: 'refused', reason: error instanceof Error ? error.message : String(error), details })
        throw error
      }
    },
  }
}

/** The entry of a call, for a host that is to write down all of them. */
export function callEntry({ plugin, point, name, method, caller, traceId, tookMs, code }: EndedCall): AuditEntry {
  return {
    actor: caller === 'host' ? host : { kind: 'plugin', name: caller },
    action: 'call.made',
    subject: `${point} ${name} ${method}`,
    plugin,
    outcome: code === undefined ? 'ok' : 'failed',
    reason: code,
    trace: traceId,
    details: { took_ms: Math.round(tookMs) },
  }
}

const host = { kind: 'host', name: 'host' } as const

function entryOf(event: KernelEvent): AuditEntry | undefined {
  if (event.type === 'kernel.started' || event.type === 'kernel.stopping') {
    const action = event.type === 'kernel.started' ? 'host.start' : 'host.stop'
    return { actor: host, action, subject: 'host', outcome: 'noted' }
  }
  if (event.type === 'plugin.changed') return told.has(event.to) ? stateEntry(event) : undefined
  if (event.type === 'plugin.exited' && event.cause.kind === 'stopped') return undefined
  if (event.type === 'call.fell-back') {
    const reason = `${event.from} was not asked (${event.code})`
    return {
      actor: host,
      action: event.type,
      subject: `${event.point} ${event.to}`,
      outcome: 'noted',
      reason,
      trace: event.traceId,
    }
  }
  if (event.type === 'approval.asked' || event.type === 'approval.ended') return approvalEntry(event)
  return { ...pluginEntry(event), plugin: event.plugin }
}

type PluginEvent = Exclude<
  KernelEvent,
  {
    readonly type:
      | 'kernel.started'
      | 'kernel.stopping'
      | 'plugin.changed'
      | 'call.fell-back'
      | 'approval.asked'
      | 'approval.ended'
  }
>

/** What became of a question that was open when the process that asked it ended; the next one writes it down. */
export function abandonedEntry(question: ApprovalEntry): AuditEntry {
  return { ...questionOf({ ...question, approval: question.id }), actor: host, action: 'approval.abandoned', outcome: 'noted' }
}

type Question = Pick<ApprovalEntry, 'plugin' | 'point' | 'name' | 'method' | 'traceId'> & { readonly approval: string }

/** A question and what became of it are tied together by its id. */
function questionOf({
  plugin,
  approval: trace,
  point,
  name,
  method,
  traceId,
}: Question): Omit<AuditEntry, 'actor' | 'action' | 'outcome'> {
  const about = { subject: `${point} ${name} ${method}`, trace, details: { call: traceId } }
  return plugin === 'host' ? about : { ...about, plugin }
}

function approvalEntry(event: Extract<KernelEvent, { type: 'approval.asked' | 'approval.ended' }>): AuditEntry {
  const about = questionOf(event)
  const asker = event.plugin === 'host' ? host : ({ kind: 'plugin', name: event.plugin } as const)
  if (event.type === 'approval.asked')
    return { ...about, actor: asker, action: event.type, outcome: 'asked', reason: event.sentence }
  const { outcome, by, reason } = event
  const actor = by === undefined ? host : ({ kind: 'token', name: by } as const)
  return { ...about, actor, action: `approval.${outcome}`, outcome: endings[outcome], reason }
}

const endings = { approved: 'ok', denied: 'refused', expired: 'refused', cancelled: 'noted', failed: 'failed' } as const

function stateEntry({ plugin, version, to, generation, reason }: Extract<KernelEvent, { type: 'plugin.changed' }>): AuditEntry {
  const outcome = bad.has(to) ? 'failed' : 'noted'
  return {
    actor: host,
    action: `plugin.${to}`,
    subject: `${plugin} ${version}`,
    plugin,
    outcome,
    reason,
    details: { generation },
  }
}

function pluginEntry(event: PluginEvent): AuditEntry {
  const { type, plugin } = event
  const byHost = { actor: host, action: type, subject: plugin, outcome: 'noted' } as const
  const byPlugin = { ...byHost, actor: { kind: 'plugin', name: plugin } } as const
  switch (type) {
    case 'plugin.removed':
    case 'plugin.suspected':
    case 'plugin.proved':
      return { ...byHost, subject: `${plugin} ${event.version}` }
    case 'plugin.updated':
      return { ...byHost, outcome: 'ok', details: { from: event.from, to: event.to, generation: event.generation } }
    case 'plugin.update-failed':
      return { ...byHost, subject: `${plugin} ${event.version}`, outcome: 'failed', reason: event.failure.message }
    case 'plugin.moved-back':
      return { ...byHost, reason: `${event.reason}: ${event.evidence}`, details: { from: event.from, to: event.to } }
    case 'plugin.drained':
      return { ...byHost, details: { generation: event.generation, aborted: event.aborted } }
    case 'plugin.exited':
      return { ...byHost, outcome: 'failed', reason: event.cause.kind, details: { generation: event.generation } }
    case 'limit.exceeded': {
      const { limit, action, count, detail } = event
      return { ...byPlugin, subject: `limit ${limit}`, outcome: 'refused', reason: detail, details: { action, count } }
    }
    case 'grant.denied': {
      const { permission, count, detail } = event
      const action = permission.startsWith('net:') ? 'egress.denied' : 'permission.denied'
      return { ...byPlugin, action, subject: permission, outcome: 'refused', reason: detail, details: { count } }
    }
    case 'breaker.changed':
      return { ...byHost, subject: `${event.point} ${event.name}`, reason: event.to, details: { failures: event.failures } }
    case 'call.refused':
      return { ...byHost, subject: `${event.point} ${event.method}`, outcome: 'refused', reason: event.code }
    case 'secret.read':
      return event.found
        ? { ...byPlugin, subject: event.name, outcome: 'ok' }
        : { ...byPlugin, subject: event.name, outcome: 'failed', reason: 'no value was given' }
    default:
      return event satisfies never
  }
}
