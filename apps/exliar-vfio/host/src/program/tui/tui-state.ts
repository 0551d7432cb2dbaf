import type { ApprovalRequest } from '@backplane/kernel'
import type { PanelContent, RecordedChange } from '@exliar-vfio/points'
import type { Applied } from '../../changes/apply.ts'
import type { Detection } from '../../lifecycle/detect.ts'
import type { PlanOptions } from '../../plan/make-plan.ts'
import type { ListedPlugin } from '../listed-plugins.ts'
import type { TakenBack } from '../take-back-changes.ts'
import type { Plan } from '../../plan/plan.ts'

/** The screens, in the order of their numbers. */
export const screens = ['system', 'devices', 'plan', 'changes', 'plugins', 'panels', 'approvals'] as const
export type Screen = (typeof screens)[number]

/** Something that is asked for and then there, or not. */
export type Loaded<T> =
  | { readonly kind: 'waiting' }
  | { readonly kind: 'there'; readonly value: T }
  | { readonly kind: 'failed'; readonly message: string }

/** A part of a plan that may be left to be done by hand. */
export type PlanPart = NonNullable<PlanOptions['leaveOut']>[number]

/** What a person decides about a plan beside the cards. */
export interface PlanChoices {
  readonly bind: 'now' | 'at-start'
  readonly allowBootScreen: boolean
  readonly leaveOut: readonly PlanPart[]
}

/** What a plan is made for. */
export interface PlanWish {
  readonly selected: readonly string[]
  readonly takeAlong: readonly string[]
  readonly choices: PlanChoices
}

/** The plan for what is selected. */
export type PlanState =
  | { readonly kind: 'none' }
  | { readonly kind: 'making'; readonly wish: PlanWish }
  | { readonly kind: 'made'; readonly plan: Plan; readonly detection: Detection }
  | { readonly kind: 'failed'; readonly message: string }

export type TakingBack = 'cleanup' | 'rollback'

/** What is being done to the machine. */
export type Work =
  | { readonly kind: 'idle' }
  | {
      readonly kind: 'applying'
      readonly steps: number
      /** Summaries, in order. */
      readonly done: readonly string[]
      readonly running: string | null
      /** Somebody broke it off; what runs is finished, then all is taken back. */
      readonly broken: boolean
    }
  | { readonly kind: 'taking-back'; readonly reason: TakingBack }

/** How the last work ended; shown until the next. */
export type Result =
  | { readonly kind: 'applied'; readonly applied: Applied; readonly reboot: boolean }
  | { readonly kind: 'taken-back'; readonly reason: TakingBack; readonly report: TakenBack }
  /** Nothing was done. */
  | { readonly kind: 'refused'; readonly message: string }

/** A question that only `y` answers with yes. */
export type Prompt =
  | { readonly kind: 'apply'; readonly steps: number }
  | { readonly kind: 'take-back'; readonly reason: TakingBack; readonly changes: number }

/** A panel of a plugin. */
export interface PanelTab {
  readonly plugin: string
  readonly name: string
  readonly title: string
}

/** What was changed on the machine. */
export interface ChangesNow {
  readonly changes: readonly RecordedChange[]
  readonly interrupted: boolean
}

/** A line at the bottom. */
export interface Message {
  readonly tone: 'plain' | 'good' | 'warning' | 'bad'
  readonly text: string
}

/** A question that was answered while the interface ran. */
export interface DecidedQuestion {
  readonly request: ApprovalRequest
  readonly approved: boolean
  readonly reason: string | null
}

/** Everything that is shown follows from this. */
export interface TuiState {
  readonly columns: number
  readonly rows: number
  readonly screen: Screen
  readonly help: boolean
  /** First line shown of what scrolls. */
  readonly scroll: number
  readonly detection: Loaded<Detection>
  /** Chosen function, in the order of the list; -1: nothing was listed yet. */
  readonly device: number
  /** Address of the function whose details are open. */
  readonly details: string | null
  /** Slots, in the order they were selected. */
  readonly selected: readonly string[]
  /** Slots of the same groups that may go along. */
  readonly takeAlong: readonly string[]
  readonly choices: PlanChoices
  readonly plan: PlanState
  readonly work: Work
  readonly result: Result | null
  readonly prompt: Prompt | null
  readonly changes: Loaded<ChangesNow>
  readonly plugins: Loaded<readonly ListedPlugin[]>
  readonly panels: Loaded<readonly PanelTab[]>
  /** Chosen panel. */
  readonly panel: number
  readonly content: Loaded<PanelContent>
  /** Chosen action among those of the panel. */
  readonly action: number
  readonly questions: readonly ApprovalRequest[]
  /** Id of the question that is shown; null: none was chosen. */
  readonly question: string | null
  /** Why the question is answered with no, while that is typed. */
  readonly refusing: string | null
  readonly decided: readonly DecidedQuestion[]
  readonly message: Message | null
  /** The process was told to end; it does once the work has. */
  readonly leaving: boolean
}

/** Something happened. */
export type TuiEvent =
  /** `alone`: it did not come together with others, as what is pasted does. */
  | { readonly kind: 'key'; readonly key: string; readonly alone: boolean }
  | { readonly kind: 'pasted'; readonly text: string }
  | { readonly kind: 'resized'; readonly columns: number; readonly rows: number }
  | { readonly kind: 'detected'; readonly detection: Loaded<Detection> }
  /** `wish`: the one of the task. */
  | { readonly kind: 'planned'; readonly wish: PlanWish; readonly plan: PlanState }
  | { readonly kind: 'step'; readonly when: 'before' | 'after'; readonly summary: string }
  | { readonly kind: 'ended'; readonly result: Result }
  | { readonly kind: 'changes-read'; readonly changes: Loaded<ChangesNow> }
  | { readonly kind: 'plugins-read'; readonly plugins: Loaded<readonly ListedPlugin[]> }
  | { readonly kind: 'panels-read'; readonly panels: Loaded<readonly PanelTab[]> }
  | { readonly kind: 'drawn'; readonly panel: PanelTab; readonly content: Loaded<PanelContent> }
  | { readonly kind: 'asked'; readonly request: ApprovalRequest }
  | { readonly kind: 'given-up'; readonly id: string }
  | { readonly kind: 'told'; readonly message: Message }
  | { readonly kind: 'killed' }

/** Something to be done outside. */
export type Task =
  | { readonly kind: 'detect' }
  | { readonly kind: 'make-plan'; readonly wish: PlanWish }
  | { readonly kind: 'apply'; readonly plan: Plan; readonly detection: Detection }
  | { readonly kind: 'break' }
  | { readonly kind: 'take-back'; readonly reason: TakingBack }
  | { readonly kind: 'read-changes' }
  | { readonly kind: 'read-plugins' }
  /** Asks the sources for plugins that came, went or were approved meanwhile. */
  | { readonly kind: 'look-for-plugins' }
  | { readonly kind: 'read-panels' }
  /** Draws this one from now on, and no other; null: none. */
  | { readonly kind: 'show-panel'; readonly panel: PanelTab | null }
  | { readonly kind: 'do-action'; readonly panel: PanelTab; readonly action: string }
  | { readonly kind: 'decide'; readonly id: string; readonly approved: boolean; readonly reason: string | null }
  | { readonly kind: 'quit' }

/** What comes of an event. */
export type Next = readonly [TuiState, readonly Task[]]

const waiting = { kind: 'waiting' } as const

/** Before anything is known. */
export function firstState(columns: number, rows: number): TuiState {
  return {
    columns,
    rows,
    screen: 'system',
    help: false,
    scroll: 0,
    detection: waiting,
    device: -1,
    details: null,
    selected: [],
    takeAlong: [],
    choices: { bind: 'now', allowBootScreen: false, leaveOut: [] },
    plan: { kind: 'none' },
    work: { kind: 'idle' },
    result: null,
    prompt: null,
    changes: waiting,
    plugins: waiting,
    panels: waiting,
    panel: 0,
    content: waiting,
    action: 0,
    questions: [],
    question: null,
    refusing: null,
    decided: [],
    message: null,
    leaving: false,
  }
}

/** The same with a line at the bottom. */
export function said(state: TuiState, text: string): TuiState {
  return { ...state, message: { tone: 'plain', text } }
}
