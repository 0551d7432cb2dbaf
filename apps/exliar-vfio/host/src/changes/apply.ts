import { PlatformError } from '@backplane/sdk'
import { exliarErrors } from '../errors.ts'
import type { Executor, RecordedStep } from './executor.ts'
import { contentHash } from './file-executor.ts'
import type { Changes } from './open-changes.ts'
import { changesIn, unfinishedRun } from './recorded-changes.ts'
import type { Step } from './step.ts'
import { rollback, type UndoReport } from './undo.ts'
import { writeCleanupScript } from './write-cleanup-script.ts'

/** Steps that belong together; whoever applies them is asked before and told after. */
export interface Stage<Subject = unknown> {
  readonly subject: Subject
  readonly steps: readonly Step[]
}

/** Why a stage must not go on. */
export interface Refusal {
  readonly plugin: string
  readonly reason: string
}

/** Asked before a stage, whose answer may be a refusal, and told after it. */
export type Gate<Subject> = (when: 'before' | 'after', subject: Subject) => Promise<Refusal | undefined>

/** What is to be applied. */
export interface Application<Subject> {
  readonly title: string
  readonly stages: readonly Stage<Subject>[]
  readonly gate?: Gate<Subject>
  /** Throws when what the steps were made from has changed; asked once nobody else can change it through `exliar`. */
  readonly check?: () => void
  /** Told before each step and after it; waited for. */
  readonly onStep?: ((when: 'before' | 'after', step: Step) => void | Promise<void>) | undefined
  /** Aborted, the step that runs is finished, no other is begun, and what was done is taken back. */
  readonly signal?: AbortSignal | undefined
}

/** How it ended. `rolled-back`: a step failed or was refused, and what had been done was taken back. */
export type Applied =
  | { readonly kind: 'applied'; readonly run: number; readonly changes: readonly number[]; readonly notes: readonly string[] }
  | {
      readonly kind: 'rolled-back'
      /** Why, a sentence. */
      readonly reason: string
      /** The plugin that refused or failed. */
      readonly plugin: string | null
      readonly error: Error
      readonly undo: UndoReport
    }

/**
 * Does the steps in order, each written down before and after. When one fails or is refused, everything this run did is
 * taken back at once. Errors: `CHANGES_UNFINISHED` when an earlier run was interrupted, and what `check` throws; then nothing
 * was done.
 */
export async function apply<Subject>(changes: Changes, application: Application<Subject>): Promise<Applied> {
  const { journal } = changes
  if (unfinishedRun(journal.records) !== undefined) throw exliarErrors.error('CHANGES_UNFINISHED')
  application.check?.()
  await changes.begin()
  const run = 1 + journal.records.filter(({ type }) => type === 'begun').length
  journal.append({ type: 'begun', run, title: application.title })
  changes.ground.atPoint('the run was begun')
  const notes: string[] = []
  try {
    for (const stage of application.stages) await applyStage(changes, { ...stage, run, notes, application })
    journal.append({ type: 'ended', run, as: 'applied' })
    changes.ground.atPoint('the run was ended')
    const applied = changesIn(journal).filter((change) => change.run === run)
    if (applied.length === 0) await changes.close()
    return { kind: 'applied', run, changes: applied.map(({ change }) => change), notes }
  } catch (thrown) {
    const error = thrown instanceof Error ? thrown : new Error(String(thrown))
    const plugin = error instanceof PlatformError ? (error.plugin ?? null) : null
    try {
      const undo = (await rollback(changes)) ?? { changes: [], complete: true, standing: 0 }
      return { kind: 'rolled-back', reason: error.message, plugin, error, undo }
    } catch (failure) {
      // What stopped the step is to be told also where the journal takes no more lines.
      if (!(failure instanceof PlatformError)) throw failure
      const reason = `${error.message}; and to take it back: ${failure.message}`
      const { length: standing } = changesIn(journal).filter(({ state }) => state !== 'undone')
      return { kind: 'rolled-back', reason, plugin, error, undo: { changes: [], complete: false, standing } }
    }
  }
}

interface RunningStage<Subject> extends Stage<Subject> {
  readonly run: number
  readonly notes: string[]
  readonly application: Application<Subject>
}

async function applyStage<Subject>(
  changes: Changes,
  { subject, steps, run, notes, application }: RunningStage<Subject>,
): Promise<void> {
  const { gate, onStep, signal } = application
  signal?.throwIfAborted()
  const refusal = await gate?.('before', subject)
  if (refusal !== undefined) throw exliarErrors.error('STEP_REFUSED', { ...refusal }, { plugin: refusal.plugin })
  for (const step of steps) {
    await onStep?.('before', step)
    signal?.throwIfAborted()
    notes.push(...(await applyStep(changes, step, run)))
    await onStep?.('after', step)
    signal?.throwIfAborted()
  }
  await gate?.('after', subject)
}

async function applyStep({ journal, ground, executors }: Changes, step: Step, run: number): Promise<readonly string[]> {
  const executor = executors[step.kind] as Pick<Executor, 'look' | 'perform'> | undefined
  if (executor === undefined) throw exliarErrors.error('STEP_UNKNOWN', { kind: step.kind })
  const before = await executor.look(step, ground)
  ground.atPoint('the backup was made')
  const change = 1 + changesIn(journal).length
  journal.append({ type: 'doing', run, change, step: recorded(step), before })
  ground.atPoint('the step was written down')
  await writeCleanupScript({ journal, ground, executors })
  const { after, notes } = await executor.perform(step, before, ground)
  ground.atPoint('the step was done')
  journal.append({ type: 'done', change, after, notes })
  ground.atPoint('the step was written down as done')
  // Only now is known what the step left.
  await writeCleanupScript({ journal, ground, executors })
  return notes
}

function recorded(step: Step): RecordedStep {
  if (step.kind !== 'write-file') return step
  const { kind, path, cause, summary, records, mode } = step
  return { kind, path, cause, summary, records, ...(mode === undefined ? {} : { mode }), sha256: contentHash(step) }
}
