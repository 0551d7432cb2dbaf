import { exliarErrors } from '../errors.ts'
import type { Entry, Executor, Standing, Undone } from './executor.ts'
import { changesIn, unfinishedRun, type Change } from './recorded-changes.ts'
import type { Changes } from './open-changes.ts'
import { writeCleanupScript } from './write-cleanup-script.ts'

/** How one change was taken back, or that it stays and why. */
export interface UndoneChange {
  readonly change: number
  readonly summary: string
  /** Where it stood by the look of the machine: `before` when it had not been done, whatever the journal says. */
  readonly stood: Standing
  readonly end: Undone
}

/** What an undo did, in the order it did it. */
export interface UndoReport {
  readonly changes: readonly UndoneChange[]
  /** Nothing of what was to be taken back is left. */
  readonly complete: boolean
  /** How many changes stand now, those of other runs too. */
  readonly standing: number
}

/**
 * Takes back the run that was interrupted, or else the last one that still stands. What somebody else changed since is kept
 * and named; everything else goes on. Undefined: there is nothing.
 */
export async function rollback(changes: Changes): Promise<UndoReport | undefined> {
  const open = changesIn(changes.journal).filter(({ state }) => state !== 'undone')
  const run = unfinishedRun(changes.journal.records) ?? open.at(-1)?.run
  if (run === undefined) {
    await changes.close()
    return undefined
  }
  const report = await undo(
    changes,
    open.filter((change) => change.run === run),
  )
  if (unfinishedRun(changes.journal.records) === run) changes.journal.append({ type: 'ended', run, as: 'rolled-back' })
  await changes.close()
  return report
}

/** As {@link rollback}, but only when a run was interrupted. */
export async function recover(changes: Changes): Promise<UndoReport | undefined> {
  if (unfinishedRun(changes.journal.records) !== undefined) return rollback(changes)
  await changes.close()
  return undefined
}

/** Takes back one run, for what lasts only as long as something else; what came before and after it stands. */
export async function takeBack(changes: Changes, run: number): Promise<UndoReport> {
  const open = changesIn(changes.journal).filter((change) => change.run === run && change.state !== 'undone')
  const report = await undo(changes, open)
  await changes.close()
  return report
}

/** Takes back everything that was ever applied and still stands, newest first. */
export async function cleanup(changes: Changes): Promise<UndoReport> {
  const report = await undo(
    changes,
    changesIn(changes.journal).filter(({ state }) => state !== 'undone'),
  )
  const run = unfinishedRun(changes.journal.records)
  if (run !== undefined) changes.journal.append({ type: 'ended', run, as: 'rolled-back' })
  await changes.close()
  return report
}

/** Newest first; programs that make files from others come last, when those are as they were. */
async function undo(changes: Changes, open: readonly Change[]): Promise<UndoReport> {
  const { journal, ground, reserve } = changes
  await reserve.release()
  ground.atPoint('the room was given up')
  const newestFirst = open.toReversed()
  const done: UndoneChange[] = []
  const finish = (entry: Entry, stood: Standing, end: Undone): void => {
    const { change, step } = entry
    journal.append(end.kind === 'undone' ? { type: 'undone', change } : { type: 'kept', change, reason: end.reason })
    ground.atPoint('an undo was written down')
    done.push({ change, summary: step.summary, stood, end })
  }
  for (const entry of newestFirst.filter(({ step }) => step.kind !== 'run-command')) {
    journal.append({ type: 'undoing', change: entry.change })
    const stood = await standingOf(changes, entry)
    finish(entry, stood, await undoOne(changes, entry))
  }
  const commands = newestFirst.filter(({ step }) => step.kind === 'run-command')
  const stood = await Promise.all(commands.map((entry) => standingOf(changes, entry)))
  const ends = await undoCommands(changes, commands)
  for (const [index, entry] of commands.entries()) finish(entry, stood[index] ?? 'other', ends(entry.change))
  const complete = done.every(({ end }) => end.kind === 'undone')
  const { length: standing } = changesIn(journal).filter(({ state }) => state !== 'undone')
  // What stands is to be taken back another time; where there is no room for that, it is tried without.
  if (standing > 0) await writeCleanupScript(changes).catch(() => undefined)
  if (standing > 0) await reserve.keep().catch(() => undefined)
  return { changes: done, complete, standing }
}

/** What cannot be looked at is neither as before nor as after. */
async function standingOf({ executors, ground }: Changes, entry: Change): Promise<Standing> {
  const executor: Pick<Executor, 'standing'> | undefined = executors[entry.step.kind]
  try {
    return (await executor?.standing(entry, ground)) ?? 'other'
  } catch {
    return 'other'
  }
}

async function undoCommands({ executors, ground }: Changes, commands: readonly Change[]): Promise<(change: number) => Undone> {
  try {
    const ends = await executors['run-command'].undoTogether(commands, ground)
    return (change) => ends.get(change) ?? { kind: 'kept', reason: 'it was not looked at' }
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error)
    return () => ({ kind: 'kept', reason })
  }
}

async function undoOne({ executors, ground }: Changes, entry: Change): Promise<Undone> {
  const { kind } = entry.step
  const executor: Pick<Executor, 'undo'> | undefined = kind === 'run-command' ? undefined : executors[kind]
  try {
    if (executor === undefined) throw exliarErrors.error('STEP_UNKNOWN', { kind })
    return await executor.undo(entry, ground)
  } catch (error) {
    // One change that cannot be taken back must not keep the others.
    return { kind: 'kept', reason: error instanceof Error ? error.message : String(error) }
  }
}
