import { join } from 'node:path'
import type { ApprovalOptions } from '@backplane/kernel'
import { approvalQueue, type ApprovalQueue } from '@backplane/storage'
import type { HostConfig } from '../config/host-config.ts'
import type { Redactor } from '../secrets/redactor.ts'

/** Questions for people, and what they are asked about. */
export interface HostApprovals extends Disposable {
  readonly queue: ApprovalQueue
  readonly options: ApprovalOptions
}

/** Opens the queue in the data directory. It outlives the kernel, which asks. Errors: those of the database. */
export function hostApprovals({ dataDirectory, plugins }: HostConfig, redactor: Redactor): HostApprovals {
  const queue = approvalQueue(join(dataDirectory, 'approvals.sqlite'), { redact: (text) => redactor.text(text) })
  const demand = new Set(plugins.approvals.demand)
  const demanded: ApprovalOptions['demanded'] = ({ point, method }) => demand.has(`${point}/${method}`)
  return {
    queue,
    options: demand.size === 0 ? { desk: queue } : { desk: queue, demanded },
    [Symbol.dispose]: () => queue[Symbol.dispose](),
  }
}
