import type { Admission, AuditEntry, AuditTrail, EndedCall, Kernel, SecretBroker, Store } from '@backplane/kernel'
import { requestAudit, type RequestAudit } from '@backplane/server'
import { auditAdmission, auditKernel, auditKey, callEntry, headInStore, openAuditLog, type AuditLog } from '@backplane/storage'
import { hostAccess } from '../api/host-access.ts'
import type { AuditConfig } from '../config/audit-schema.ts'
import { hypersdkErrors } from '../errors.ts'
import type { Job } from '../jobs/job.ts'
import type { Redactor } from '../secrets/redactor.ts'
import type { HostLog } from './host-log.ts'

/** What an audit log needs of the daemon. */
export interface HostAuditParts {
  /** Keeps the end of the log. */
  readonly store: Store
  readonly log: HostLog
  readonly redactor: Redactor
}

/** Everything of the daemon that the audit log is fed by. */
export interface HostAudit extends AsyncDisposable {
  /** Undefined where the configuration wants none. */
  readonly trail: AuditTrail | undefined
  /** The same, each verdict written down. */
  readonly admission: (admission: Admission) => Admission
  /** The broker that plugins are given; the kernel tells of their reads. */
  readonly forPlugins: (broker: SecretBroker) => SecretBroker
  /** The broker that the daemon fills in settings with. */
  readonly forHost: (broker: SecretBroker) => SecretBroker
  /** What the kernel tells of calls to. */
  readonly onCall: ((call: EndedCall) => void) | undefined
  readonly watch: (kernel: Kernel) => void
  /** An export ended for good: what of a machine lies where now. */
  readonly exportEnded: (job: Job) => void
  readonly requests: (kernel: Kernel) => RequestAudit | undefined
  /** Why it cannot be written now, without paths. */
  readonly reasons: () => readonly string[]
}

/** Opens the audit log. Errors: `AUDIT_KEY_UNUSABLE`, `AUDIT_UNWRITABLE`, `AUDIT_UNREADABLE`. */
export async function hostAudit(config: AuditConfig, { store, log, redactor }: HostAuditParts): Promise<HostAudit> {
  const trail = config.enabled ? await openLog(config, { store, log, redactor }) : undefined
  const { secretReads, all } = config
  return {
    trail,
    admission: (admission) => (trail === undefined ? admission : auditAdmission(admission, trail)),
    forPlugins: (broker) => (secretReads === 'deny' ? denied(trail) : broker),
    forHost: (broker) => (trail === undefined || secretReads === 'ignore' ? broker : noted(broker, trail)),
    onCall: trail === undefined || !all ? undefined : (call) => trail.note(callEntry(call)),
    // It ends with the kernel, whose last events are to be written too.
    watch: ({ events }) =>
      void (trail === undefined ? undefined : auditKernel(events, trail, { all, secretReads: secretReads !== 'ignore' })),
    exportEnded: (job) => trail?.note(exportEntry(job)),
    requests: ({ plugins }) =>
      trail === undefined
        ? undefined
        : requestAudit(trail, {
            access: hostAccess,
            onFailure: config.onFailure,
            all,
            log,
            pluginId: (named) => plugins.get(named)?.id,
          }),
    reasons: () => (trail?.trouble === undefined ? [] : ['the audit log cannot be written']),
    [Symbol.asyncDispose]: async () => trail?.[Symbol.asyncDispose](),
  }
}

async function openLog(config: AuditConfig, { store, log, redactor }: HostAuditParts): Promise<AuditLog> {
  const { directory, maxFileBytes, keepFiles } = config
  return openAuditLog({
    directory,
    maxFileBytes,
    keepFiles,
    key: await auditKey(config.keyFile, { make: true }),
    head: headInStore(store),
    redact: (text) => redactor.text(text),
    onTrouble: (error) => {
      if (error === undefined) log.info('the audit log is written again')
      else log.error('the audit log cannot be written', { error, on_failure: config.onFailure })
    },
    // Where the log of the daemon is kept elsewhere, these lines show later whether records were taken off the end.
    onAnchor: ({ seq, digest }) => log.info('the audit log stands at', { seq, digest }),
  })
}

function exportEntry({ definition, status, error }: Job): AuditEntry {
  const { id, provider, vm_id, output_dir } = definition
  return {
    actor: { kind: 'host', name: 'host' },
    action: `export.${status}`,
    subject: `${provider} ${vm_id}`,
    outcome: status === 'completed' ? 'ok' : 'failed',
    reason: error ?? undefined,
    details: { job: id, output_dir },
  }
}

/** For a host that lets no plugin read secrets itself: instances are still given what their settings name. */
function denied(trail: AuditTrail | undefined): SecretBroker {
  return {
    resolve: async (name, plugin) => {
      const reason = 'SECRET_READ_DENIED'
      trail?.note({
        actor: { kind: 'plugin', name: plugin },
        action: 'secret.denied',
        subject: name,
        plugin,
        outcome: 'refused',
        reason,
      })
      throw hypersdkErrors.error(reason, { plugin, name }, { plugin })
    },
  }
}

function noted(broker: SecretBroker, trail: AuditTrail): SecretBroker {
  return {
    resolve: async (name, plugin) => {
      const isHost = plugin === 'host'
      const entry = { actor: { kind: 'host', name: 'host' }, action: 'secret.read', subject: name } as const
      const about = { ...entry, plugin: isHost ? undefined : plugin }
      try {
        const value = await broker.resolve(name, plugin)
        const found = value !== undefined
        trail.note({ ...about, outcome: found ? 'ok' : 'failed', reason: found ? undefined : 'no value was given' })
        return value
      } catch (error) {
        trail.note({ ...about, outcome: 'failed', reason: error instanceof Error ? error.message : String(error) })
        throw error
      }
    },
  }
}
