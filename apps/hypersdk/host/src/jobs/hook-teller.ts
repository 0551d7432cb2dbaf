import type { Kernel } from '@backplane/kernel'
import { afterExport, type ExportOutcome } from '@hypersdk/points'
import { asPlatformError, type JobLedger } from './job-ledger.ts'

/**
 * Tells the after-export hooks of every end at least once: an outcome is owed from the moment the job has ended until
 * its hooks have run, well or not, also across a death of the daemon in between. So a hook may hear of one end twice.
 */
export class HookTeller {
  readonly #kernel: Pick<Kernel, 'emit'>
  readonly #ledger: JobLedger

  constructor(around: { readonly kernel: Pick<Kernel, 'emit'>; readonly ledger: JobLedger }) {
    this.#kernel = around.kernel
    this.#ledger = around.ledger
  }

  /** Tells what an earlier daemon still owed. Never rejects. */
  async tellOwed(): Promise<void> {
    await Promise.all(this.#ledger.owed().map((outcome) => this.tell(outcome)))
  }

  /** Never rejects: what a hook fails with is told in the job's log. */
  async tell(outcome: ExportOutcome): Promise<void> {
    const { job_id: id } = outcome
    try {
      const { failures } = await this.#kernel.emit(afterExport, outcome)
      for (const one of failures) this.#ledger.log(id, 'warn', `${one.plugin} failed in after-export: ${one.message}`)
    } catch (error) {
      this.#ledger.log(id, 'warn', `the after-export hooks failed: ${asPlatformError(error).message}`)
    }
    this.#ledger.told(id)
  }
}
