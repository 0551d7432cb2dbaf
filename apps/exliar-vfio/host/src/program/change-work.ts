import { printable } from '@backplane/terminal'
import { openChanges, type Changes, type ChangesOptions } from '../changes/open-changes.ts'
import { standardExecutors } from '../changes/standard-executors.ts'
import type { UndoneChange, UndoReport } from '../changes/undo.ts'
import type { MachineTree } from '../machine/machine-tree.ts'
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
export function undoText({ changes, complete }: UndoReport): string {
  const lines = changes.map(lineOf)
  const end = complete ? 'Everything is as it was before.' : 'What is marked as kept is not as it was before.'
  // Files and what programs said of them are quoted here.
  return `${[...lines, end]
    .flatMap((text) => text.split('\n'))
    .map(printable)
    .join('\n')}\n`
}

function lineOf({ summary, end }: UndoneChange): string {
  if (end.kind === 'undone') return [`undone  ${summary}`, ...end.notes.map((note) => `        ${note}`)].join('\n')
  const diff = end.diff === undefined ? [] : end.diff.trimEnd().split('\n')
  return [`kept    ${summary}`, `        ${end.reason}`, ...diff.map((line) => `        ${line}`)].join('\n')
}
