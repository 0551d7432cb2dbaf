import { undoEnd } from '../change-work.ts'
import { counted } from '../counted.ts'
import { withReason } from './on-approval-key.ts'
import { onKey, shownPanel } from './on-key.ts'
import { listedDevices, nextGpu } from './views/devices-body.ts'
import type { Message, Next, Task, TuiEvent, TuiState } from './tui-state.ts'

/** What comes of an event: another state, and what is to be done outside. Pure. */
export function update(before: TuiState, event: TuiEvent): Next {
  const [after, tasks] = happened(before, event)
  // Which panel is drawn follows from what is shown, whichever way that came about.
  const [was, is] = [shownPanel(before), shownPanel(after)]
  if (was?.plugin === is?.plugin && was?.name === is?.name) return [after, tasks]
  return [{ ...after, content: { kind: 'waiting' }, action: 0 }, [...tasks, { kind: 'show-panel', panel: is ?? null }]]
}

function happened(state: TuiState, event: TuiEvent): Next {
  switch (event.kind) {
    case 'key':
      return onKey({ ...state, message: null }, event)
    case 'pasted':
      return [withReason(state, event.text), []]
    case 'resized':
      return [{ ...state, columns: event.columns, rows: event.rows }, []]
    case 'detected':
      return [withChosen({ ...state, detection: event.detection }), []]
    case 'planned':
      // One that was made for an earlier wish is not wanted any more, also when it comes while another is made.
      return [
        state.plan.kind === 'making' && state.plan.wish === event.wish ? { ...state, plan: event.plan, scroll: 0 } : state,
        [],
      ]
    case 'changes-read':
      return [{ ...state, changes: event.changes }, []]
    case 'plugins-read':
      return [{ ...state, plugins: event.plugins }, []]
    case 'panels-read':
      return [withPanels(state, event.panels), []]
    case 'drawn': {
      const shown = shownPanel(state)
      const isShown = shown?.plugin === event.panel.plugin && shown.name === event.panel.name
      return [isShown ? { ...state, content: event.content } : state, []]
    }
    case 'told':
      return [{ ...state, message: event.message }, []]
    case 'step':
    case 'ended':
    case 'killed':
      return onWork(state, event)
    case 'asked':
    case 'given-up':
      return onQuestion(state, event)
  }
}

/** The panel that was chosen stays so, wherever it stands now. */
function withPanels(state: TuiState, panels: TuiState['panels']): TuiState {
  const chosen = state.panels.kind === 'there' ? state.panels.value[state.panel] : undefined
  const tabs = panels.kind === 'there' ? panels.value : []
  const panel = tabs.findIndex(({ plugin, name }) => plugin === chosen?.plugin && name === chosen.name)
  return { ...state, panels, panel: Math.max(0, panel) }
}

/** The first thing chosen is a graphics adapter: that is what people come for. */
function withChosen(state: TuiState): TuiState {
  const { detection, device } = state
  if (detection.kind !== 'there') return state
  const listed = listedDevices(detection.value)
  if (device < 0) return { ...state, device: Math.max(0, nextGpu(detection.value, -1)) }
  return device < listed.length ? state : { ...state, device: Math.max(0, listed.length - 1) }
}

function onWork(state: TuiState, event: Extract<TuiEvent, { kind: 'step' | 'ended' | 'killed' }>): Next {
  const { work } = state
  if (event.kind === 'killed') {
    const leaving = { ...state, leaving: true }
    if (work.kind === 'idle') return [leaving, [{ kind: 'quit' }]]
    return [work.kind === 'applying' ? { ...leaving, work: { ...work, broken: true } } : leaving, [{ kind: 'break' }]]
  }
  if (event.kind === 'step') {
    if (work.kind !== 'applying') return [state, []]
    const { when, summary } = event
    const next = when === 'before' ? { ...work, running: summary } : { ...work, running: null, done: [...work.done, summary] }
    return [{ ...state, work: next }, []]
  }
  const { result } = event
  // Whatever the plan was made from is another now.
  const ended: TuiState = {
    ...state,
    work: { kind: 'idle' },
    result,
    plan: { kind: 'none' },
    scroll: 0,
    message: messageOf(result),
  }
  const look: readonly Task[] = [{ kind: 'detect' }, { kind: 'read-changes' }]
  return [ended, state.leaving ? [{ kind: 'quit' }] : look]
}

function messageOf(result: Extract<TuiEvent, { kind: 'ended' }>['result']): Message {
  switch (result.kind) {
    case 'refused':
      return { tone: 'bad', text: 'Nothing was done.' }
    case 'taken-back':
      return result.report.complete
        ? { tone: 'good', text: undoEnd(result.report) }
        : { tone: 'warning', text: 'Not everything could be taken back: it is named.' }
    case 'applied':
      return result.applied.kind === 'applied'
        ? { tone: 'good', text: `Applied: ${counted(result.applied.changes.length, 'change')}.` }
        : { tone: 'bad', text: `Rolled back: ${result.applied.reason}` }
  }
}

function onQuestion(state: TuiState, event: Extract<TuiEvent, { kind: 'asked' | 'given-up' }>): Next {
  if (event.kind === 'asked') {
    const { request } = event
    const text = `${request.plugin} asks for approval: press 7.`
    return [{ ...state, questions: [...state.questions, request], message: { tone: 'warning', text } }, []]
  }
  const questions = state.questions.filter(({ id }) => id !== event.id)
  if (questions.length === state.questions.length) return [state, []]
  const message: Message = { tone: 'warning', text: 'A question was given up: nobody waits for its answer any more.' }
  // Nothing takes the place of what was on the screen: a key meant for one question must not answer another.
  const gone = state.question === event.id ? { question: null, refusing: null } : {}
  return [{ ...state, ...gone, questions, message }, []]
}
