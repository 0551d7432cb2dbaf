import type { RecordedChange } from '@exliar-vfio/points'
import type { Entry } from './executor.ts'
import type { Journal } from './journal.ts'
import type { TimedRecord } from './journal-record.ts'

/** One step that was begun, as the journal has it. */
export interface Change extends Entry {
  readonly run: number
  /** RFC 3339. */
  readonly at: string
  readonly state: RecordedChange['state']
  readonly notes: readonly string[]
}

/** Every step that was begun, oldest first. */
export function changesIn({ records }: Pick<Journal, 'records'>): readonly Change[] {
  const changes = new Map<number, Change>()
  const mark = (number: number, marks: Partial<Change>): void => {
    const known = changes.get(number)
    if (known !== undefined) changes.set(number, { ...known, ...marks })
  }
  for (const record of records) {
    switch (record.type) {
      case 'doing': {
        const { change, run, at, step, before } = record
        changes.set(change, { change, run, at, step, before, state: 'planned', notes: [] })
        break
      }
      case 'done':
        mark(record.change, { state: 'done', after: record.after, notes: record.notes })
        break
      case 'undone':
        mark(record.change, { state: 'undone' })
        break
      case 'kept':
        mark(record.change, { state: 'kept' })
        break
      case 'opened':
      case 'begun':
      case 'undoing':
      case 'ended':
        break
    }
  }
  return [...changes.values()]
}

/** The run that was begun and did not end; undefined: none. */
export function unfinishedRun(records: readonly TimedRecord[]): number | undefined {
  const begun = records.findLast((record) => record.type === 'begun')
  const ended = records.some((record) => record.type === 'ended' && record.run === begun?.run)
  return begun === undefined || ended ? undefined : begun.run
}

/** Changes as plugins and people are told of them. */
export function recordedChanges(journal: Pick<Journal, 'records'>): readonly RecordedChange[] {
  return changesIn(journal).map(({ change, at, step, state, notes }) => ({
    id: change,
    at,
    kind: step.records,
    summary: step.summary,
    plugin: step.cause?.plugin ?? null,
    hook: step.cause?.hook ?? null,
    state,
    notes: [...notes],
  }))
}
