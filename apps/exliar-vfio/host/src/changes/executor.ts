import type { MachineTree } from '../machine/machine-tree.ts'
import type { ProgramEnd } from '../machine/run-program.ts'
import type { BackupStore } from './backup-store.ts'
import type { RunCommandStep, Step, WriteFileStep } from './step.ts'

/** What an executor works with. */
export interface Ground {
  readonly tree: MachineTree
  readonly backups: BackupStore
  /** Runs a program of the machine's. */
  readonly run: (program: string, args: readonly string[]) => Promise<ProgramEnd>
  /** Told of every moment at which a kill would leave another state behind; tests kill there. */
  readonly atPoint: (name: string) => void
}

/** A step as the journal keeps it: of a file's content only what it is known by. */
export type RecordedStep =
  | Exclude<Step, WriteFileStep>
  | (Omit<WriteFileStep, 'content' | 'expects'> & { readonly sha256: string })

/** A step that was begun. `before` and `after` are the executor's own, as JSON; without `after` it was interrupted. */
export interface Entry {
  readonly change: number
  readonly step: RecordedStep
  readonly before: unknown
  readonly after?: unknown
}

/** How an undo of one step ended. `kept`: somebody else changed it since, so it stays, with the difference where there is one. */
export type Undone =
  | { readonly kind: 'undone'; readonly notes: readonly string[] }
  | { readonly kind: 'kept'; readonly reason: string; readonly diff?: string }

/** What was done. `notes` are for the person, such as what was left out. */
export interface Performed {
  readonly after: unknown
  readonly notes: readonly string[]
}

/** Where a step stands, by the look of the machine and not of the journal. */
export type Standing = 'before' | 'after' | 'other'

/** Knows one kind of step. */
export interface Executor<S extends Step = Step> {
  /** What is there now; whatever an undo needs is put among the backups. Changes nothing else. */
  readonly look: (step: S, ground: Ground) => Promise<unknown>
  /** Does it. Throws when it could not; whatever it had done by then is taken back by `undo`. */
  readonly perform: (step: S, before: unknown, ground: Ground) => Promise<Performed>
  /** Whether it was done. */
  readonly standing: (entry: Entry, ground: Ground) => Standing | Promise<Standing>
  /** Takes it back, however far it got, and looks whether that is so. Done twice it is as done once. */
  readonly undo: (entry: Entry, ground: Ground) => Promise<Undone>
  /** The same for a shell, with the functions of the cleanup script. */
  readonly script: (entry: Entry) => readonly string[]
}

/** Takes back together, newest first, what can only be taken back when everything else has been. */
export interface LastExecutor extends Omit<Executor<RunCommandStep>, 'undo' | 'script'> {
  readonly undoTogether: (entries: readonly Entry[], ground: Ground) => Promise<ReadonlyMap<number, Undone>>
  readonly scriptTogether: (entries: readonly Entry[]) => readonly string[]
}

/** Who does what. */
export interface Executors {
  readonly 'write-file': Executor<WriteFileStep>
  readonly 'run-command': LastExecutor
  readonly 'bind-device'?: Executor<Extract<Step, { kind: 'bind-device' }>>
  readonly 'define-domain'?: Executor<Extract<Step, { kind: 'define-domain' }>>
}
