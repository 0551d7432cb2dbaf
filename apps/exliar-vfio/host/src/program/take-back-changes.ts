import { cleanup as cleanupHook } from '@exliar-vfio/points'
import { readJournal } from '../changes/open-changes.ts'
import { recordedChanges } from '../changes/recorded-changes.ts'
import { cleanup, rollback, type UndoReport } from '../changes/undo.ts'
import type { Session } from './session.ts'
import { warnOf } from './warn-of.ts'

/**
 * Tells the plugins, and takes back everything (`cleanup`), or what was interrupted, or else the last apply. Whatever a plugin
 * makes of it keeps nobody from the undo. Errors: `CHANGES_BUSY`, `JOURNAL_DAMAGED`.
 */
export async function takeBackChanges(session: Session, reason: 'cleanup' | 'rollback'): Promise<UndoReport> {
  const { tree } = session
  if (recordedChanges(readJournal(tree)).some(({ state }) => state !== 'undone')) await tellPlugins(session, reason)
  await using changes = await session.openChanges()
  return (await (reason === 'cleanup' ? cleanup(changes) : rollback(changes))) ?? { changes: [], complete: true, standing: 0 }
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
