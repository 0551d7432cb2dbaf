import type { JobLedger } from '../jobs/job-ledger.ts'
import { jobStatuses } from '../jobs/job.ts'

/** Jobs by status. Source: Prometheus text exposition format 0.0.4. */
export function jobMetrics(ledger: JobLedger): string {
  const samples = jobStatuses.map((status) => `hypersdk_jobs{status="${status}"} ${ledger.count(status)}\n`)
  return `# HELP hypersdk_jobs Jobs kept, by status.\n# TYPE hypersdk_jobs gauge\n${samples.join('')}`
}
