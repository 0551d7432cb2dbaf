import { cleanup as cleanupHook } from '@exliar-vfio/points'
import { readJournal } from '../changes/open-changes.ts'
import { changesIn, recordedChanges } from '../changes/recorded-changes.ts'
import { cleanup, rollback, type UndoReport } from '../changes/undo.ts'
import { countsUntilRestart } from '../lifecycle/counts-until-restart.ts'
import type { Session } from './session.ts'
import { warnOf } from './warn-of.ts'

/** An undo that a person asked for. */
export interface TakenBack extends UndoReport {
  /** The machine runs with something of it until it is started again. */
  readonly restart: boolean
}

/**
 * Tells the plugins, and takes back everything (`cleanup`), or what was interrupted, or else the last apply. Whatever a plugin
 * makes of it keeps nobody from the undo. Errors: `CHANGES_BUSY`, `JOURNAL_DAMAGED`.
 */
export async function takeBackChanges(session: Session, reason: 'cleanup' | 'rollback'): Promise<TakenBack> {
  const { tree } = session
  if (recordedChanges(readJournal(tree)).some(({ state }) => state !== 'undone')) await tellPlugins(session, reason)
  await using changes = await session.openChanges()
  const before = changesIn(changes.journal)
  const report = await (reason === 'cleanup' ? cleanup(changes) : rollback(changes))
  if (report === undefined) return { changes: [], complete: true, standing: 0, restart: false }
  const undone = new Set(report.changes.filter(({ end }) => end.kind === 'undone').map(({ change }) => change))
  return {
    ...report,
    restart: countsUntilRestart(
      tree,
      before.filter(({ change }) => undone.has(change)),
    ),
  }
}

/** No plugin, and nothing that keeps them from starting, stands between a person and the undo. */
async function tellPlugins(session: Session, reason: 'cleanup' | 'rollback'): Promise<void> {
  const { terminal } = session
  try {
    const { hooks } = await session.plugins()
    session.onHookRun = (run) => warnOf(session, run)
    await hooks.run(cleanupHook, { reason }, null, terminal.signal)
  } catch (error) {
    terminal.signal.throwIfAborted()
    const message = error instanceof Error ? error.message : String(error)
    session.warn(message)
  }
}
