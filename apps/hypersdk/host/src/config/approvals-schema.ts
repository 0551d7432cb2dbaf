import { didYouMean, durationMs } from '@backplane/kernel'
import { provider } from '@hypersdk/points'
import { z } from 'zod'
import { quantity } from './plugin-limits.ts'

/** What may be demanded: `hypersdk.provider/exportVm`. */
const known = ['open', ...Object.keys(provider.methods)].map((method) => `${provider.id}/${method}`)

/** A name that means nothing would leave what was meant unasked. */
const Demanded = z.string().superRefine((name, context) => {
  if (known.includes(name)) return
  const nearest = didYouMean(name, known) || `; write it like ${known[0]}`
  context.addIssue({ code: 'custom', message: `is nothing that can be asked about${nearest}` })
})

/** What a person is asked before it is done. */
export const Approvals = z.strictObject({
  /** Beside what is critical by itself: calls by point and method, also those of the daemon. */
  demand: z.array(Demanded).default([]),
  /** How long a question stays open. */
  timeout: quantity(durationMs, 'must be a duration with a unit, such as "10m", of at least 1s', 1_000).default(600_000),
})

/** What a person is asked before it is done, and how long. */
export interface ApprovalsConfig {
  /** `point/method`. */
  readonly demand: readonly string[]
  readonly timeoutMs: number
}
