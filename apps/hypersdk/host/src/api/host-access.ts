import { managementAccess, type Access, type AccessTable } from '@backplane/server'

const read: Access = { scope: 'read' }
const operate: Access = { scope: 'operate' }

/**
 * What each route of hypervisord needs. A token that is for some plugins alone may use none of the daemon's own: a job names a
 * provider, and which plugin supplies that may change while it runs.
 */
export const hostAccess: AccessTable = {
  ...managementAccess,
  'GET /health': read,
  'GET /status': read,
  'GET /capabilities': read,
  'GET /api/providers': read,
  'GET /api/providers/{type}/capabilities': read,
  'GET /api/providers/{instance}/vms': read,
  'GET /api/providers/{instance}/vms/search': read,
  'GET /api/providers/{instance}/vms/{vm_id}': read,
  'GET /jobs/query': read,
  'POST /jobs/query': read,
  'GET /jobs/{id}': read,
  'GET /jobs/{id}/events': read,
  'GET /jobs/{id}/verify': read,
  'GET /jobs/{id}/verify/events': read,
  'GET /jobs/progress/{id}': read,
  'GET /jobs/logs/{id}': read,
  'GET /jobs/eta/{id}': read,
  'POST /jobs/submit': operate,
  'POST /jobs/cancel': operate,
}
