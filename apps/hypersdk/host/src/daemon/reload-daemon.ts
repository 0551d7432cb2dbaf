import { hash } from 'node:crypto'
import type { AuditTrail } from '@backplane/kernel'
import type { HostLog } from './host-log.ts'
import type { PluginTrust } from './plugin-trust.ts'

/** What is read again while the daemon runs. */
export interface ReloadDaemonParts {
  readonly trust: Pick<PluginTrust, 'reload' | 'policy'>
  /** Reads the configuration again and takes it up; undefined where there is none to read. */
  readonly configuration: (() => Promise<void>) | undefined
  readonly kernel: { readonly plugins: Readonly<Record<'refresh' | 'readmit', () => Promise<unknown>>> }
  readonly log: Pick<HostLog, 'warn'>
  readonly trail: AuditTrail | undefined
}

/**
 * Makes what reads policy, approvals and configuration again, one time after the other. Policy and approvals count whatever
 * becomes of the configuration: a slip in a setting must not keep alive what is not trusted any more. What cannot be read
 * leaves what was read before, and is thrown when the rest is done: policy and approvals before the configuration.
 */
export function reloadDaemon(parts: ReloadDaemonParts): () => Promise<void> {
  let last: Promise<void> = Promise.resolve()
  return () => {
    last = last.catch(() => undefined).then(() => reloadOnce(parts))
    return last
  }
}

async function reloadOnce({ trust, configuration, kernel, log, trail }: ReloadDaemonParts): Promise<void> {
  await reloadTrust(trust, trail)
  try {
    await configuration?.()
  } catch (error) {
    log.warn('the policy and the approvals were read again and count; the configuration was not')
    await kernel.plugins.readmit()
    throw error
  }
  await kernel.plugins.refresh()
  await kernel.plugins.readmit()
}

async function reloadTrust(trust: ReloadDaemonParts['trust'], trail: AuditTrail | undefined): Promise<void> {
  const entry = { actor: { kind: 'host', name: 'host' }, action: 'trust.reload', subject: 'policy and approvals' } as const
  try {
    await trust.reload()
  } catch (error) {
    trail?.note({ ...entry, outcome: 'refused', reason: error instanceof Error ? error.message : String(error) })
    throw error
  }
  trail?.note({ ...entry, outcome: 'ok', details: { policy: `sha256:${hash('sha256', JSON.stringify(trust.policy()))}` } })
}
