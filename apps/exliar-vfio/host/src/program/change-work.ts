import { printable } from '@backplane/terminal'
import { openChanges, type Changes, type ChangesOptions } from '../changes/open-changes.ts'
import { standardExecutors } from '../changes/standard-executors.ts'
import type { UndoneChange, UndoReport } from '../changes/undo.ts'
import type { MachineTree } from '../machine/machine-tree.ts'
import { counted } from './counted.ts'
import type { TakenBack } from './take-back-changes.ts'
import { bindExecutor } from '../vfio/bind-executor.ts'
import { domainExecutor } from '../vm/domain-executor.ts'

/** How everything this program changes is done and taken back. */
export function changesOptions(tree: MachineTree): ChangesOptions {
  return { tree, executors: { ...standardExecutors, 'bind-device': bindExecutor(), 'define-domain': domainExecutor() } }
}

/** Sole access to the changes of a machine. Errors: `CHANGES_BUSY`, `JOURNAL_DAMAGED`. */
export function openMachineChanges(tree: MachineTree): Promise<Changes> {
  return openChanges(changesOptions(tree))
}

/** An undo for people: what is as it was, and what was kept, why, and how it differs. */
export function undoText(report: UndoReport & Partial<TakenBack>): string {
  // Files and what programs said of them are quoted here.
  return `${[...report.changes.map(lineOf), undoEnd(report)]
    .flatMap((text) => text.split('\n'))
    .map(printable)
    .join('\n')}\n`
}

/** What an undo came to, in a sentence, and what is left to do in another. */
export function undoEnd(report: UndoReport & Partial<TakenBack>): string {
  const restart = report.restart === true ? ' The machine was started with it: start it again, only then it counts no more.' : ''
  return endOf(report) + restart
}

function endOf({ changes, complete, standing }: UndoReport): string {
  if (!complete) return 'What is marked as kept is not as it was before.'
  if (standing > 0) return `It is taken back. What was applied before stands: ${counted(standing, 'change')}.`
  const isSame = changes.every(({ end }) => end.kind === 'undone' && end.notes.length === 0)
  return isSame ? 'Everything is as it was before.' : 'Everything is taken back; what is not the same to the byte is named above.'
}

function lineOf({ summary, end }: UndoneChange): string {
  if (end.kind === 'undone') return [`undone  ${summary}`, ...end.notes.map((note) => `        ${note}`)].join('\n')
  const diff = end.diff === undefined ? [] : end.diff.trimEnd().split('\n')
  return [`kept    ${summary}`, `        ${end.reason}`, ...diff.map((line) => `        ${line}`)].join('\n')
}
