import { RecordedChange } from '@exliar-vfio/points'
import { z } from 'zod'
import type { RecordedStep } from './executor.ts'

const Cause = z.object({ plugin: z.string(), hook: z.string() }).nullable()
const common = { cause: Cause, summary: z.string(), records: RecordedChange.shape.kind }

const Making = z.object({ program: z.string(), args: z.array(z.string()), generates: z.array(z.string()) })

const Recorded: z.ZodType<RecordedStep> = z.discriminatedUnion('kind', [
  z.object({ kind: z.literal('write-file'), ...common, path: z.string(), mode: z.int().exactOptional(), sha256: z.string() }),
  z.object({
    kind: z.literal('run-command'),
    ...common,
    ...Making.shape,
    followers: z.array(Making).exactOptional(),
  }),
  z.object({ kind: z.literal('bind-device'), ...common, bdf: z.string(), driver: z.string().nullable() }),
  z.object({
    kind: z.literal('define-domain'),
    ...common,
    connection: z.string(),
    domain: z.string(),
    was: z.string(),
    xml: z.string(),
  }),
])

const change = z.int().positive()

/** One line of the journal. A run is one `apply`; a change is one step of it, numbered over all runs. */
export const JournalRecord = z.discriminatedUnion('type', [
  /** The first one; the directories were made for the journal and go with it. */
  z.object({ type: z.literal('opened'), version: z.literal(1), made: z.array(z.string()) }),
  z.object({ type: z.literal('begun'), run: change, title: z.string() }),
  /** Written before the step is done. */
  z.object({ type: z.literal('doing'), run: change, change, step: Recorded, before: z.unknown() }),
  z.object({ type: z.literal('done'), change, after: z.unknown(), notes: z.array(z.string()).readonly() }),
  z.object({ type: z.literal('undoing'), change }),
  z.object({ type: z.literal('undone'), change }),
  z.object({ type: z.literal('kept'), change, reason: z.string() }),
  z.object({ type: z.literal('ended'), run: change, as: z.enum(['applied', 'rolled-back']) }),
])
export type JournalRecord = z.output<typeof JournalRecord>

/** A record with the time it was written, RFC 3339. */
export type TimedRecord = JournalRecord & { readonly at: string }
