import { actionsOf } from './views/panel-body.ts'
import { listedDevices } from './views/devices-body.ts'
import { bodyRows, firstLine, screenBody } from './views/screen-body.ts'
import { answerQuestion, typeReason } from './on-approval-key.ts'
import { onDevices, onPlan } from './on-plan-key.ts'
import { said, screens, type Next, type PanelTab, type Screen, type Task, type TuiEvent, type TuiState } from './tui-state.ts'

type KeyEvent = Extract<TuiEvent, { kind: 'key' }>

/** The panel on the screen. */
export function shownPanel({ screen, help, panels, panel, leaving }: TuiState): PanelTab | undefined {
  return screen === 'panels' && !help && !leaving && panels.kind === 'there' ? panels.value[panel] : undefined
}

/** What a key does: an open question first, then what works everywhere, then the screen. */
export function onKey(state: TuiState, event: KeyEvent): Next {
  const { key } = event
  if (key === 'ctrl-c') return breakOff(state)
  if (state.refusing !== null) return typeReason(state, key)
  if (state.prompt !== null) return answerPrompt(state, event)
  const screen = screens[Number(key) - 1]
  if (screen !== undefined) return goTo(state, screen)
  switch (key) {
    case 'tab':
      return goTo(state, screenBeside(state.screen, 1))
    case 'shift-tab':
      return goTo(state, screenBeside(state.screen, -1))
    case '?':
      return [{ ...state, help: !state.help, scroll: 0 }, []]
    case 'q':
    case 'ctrl-q':
      return quit(state)
    case 'escape':
      return back(state)
    case 'r':
      return refresh(state)
    case 'up':
    case 'k':
      return moved(state, -1)
    case 'down':
    case 'j':
      return moved(state, 1)
    case 'page-up':
      return moved(state, -bodyRows(state))
    case 'page-down':
      return moved(state, bodyRows(state))
    case 'home':
      return moved(state, -Infinity)
    case 'end':
      return moved(state, Infinity)
    default:
      return state.help ? [state, []] : onScreen(state, event)
  }
}

function breakOff(state: TuiState): Next {
  const { work } = state
  if (work.kind === 'idle') return quit(state)
  if (work.kind === 'applying' && !work.broken) return [{ ...state, work: { ...work, broken: true } }, [{ kind: 'break' }]]
  return [said(state, 'Everything is being taken back; that cannot be broken off.'), []]
}

function quit(state: TuiState): Next {
  if (state.work.kind === 'idle') return [{ ...state, leaving: true }, [{ kind: 'quit' }]]
  return [said(state, 'The machine is being changed: wait, or break it off with Ctrl-C.'), []]
}

function back(state: TuiState): Next {
  if (state.help) return [{ ...state, help: false, scroll: 0 }, []]
  if (state.screen === 'devices' && state.details !== null) return [{ ...state, details: null, scroll: 0 }, []]
  return state.screen === 'system' ? quit(state) : goTo(state, 'system')
}

function screenBeside(screen: Screen, by: number): Screen {
  return screens[(screens.indexOf(screen) + by + screens.length) % screens.length] ?? 'system'
}

function goTo(state: TuiState, screen: Screen): Next {
  const [first] = state.questions
  const question = screen === 'approvals' ? (state.question ?? first?.id ?? null) : state.question
  return [{ ...state, screen, help: false, scroll: 0, question }, looksOf(screen)]
}

/** What is read anew when a screen is entered; it is quick. */
function looksOf(screen: Screen): readonly Task[] {
  if (screen === 'changes') return [{ kind: 'read-changes' }]
  if (screen === 'plugins') return [{ kind: 'read-plugins' }]
  return screen === 'panels' ? [{ kind: 'read-panels' }] : []
}

function refresh(state: TuiState): Next {
  if (state.work.kind !== 'idle')
    return [said(state, 'The machine is being changed: it is looked at again when that is done.'), []]
  const [waiting, all] = [{ kind: 'waiting' } as const, ['look-for-plugins', 'detect', 'read-changes'] as const]
  return [{ ...state, detection: waiting, plan: { kind: 'none' } }, all.map((kind) => ({ kind }))]
}

function answerPrompt(state: TuiState, { key, alone }: KeyEvent): Next {
  const { prompt, plan } = state
  const closed = { ...state, prompt: null }
  // Only a key that came by itself is a yes: what is pasted is none.
  if (key.toLowerCase() !== 'y' || !alone || prompt === null) return [said(closed, 'Nothing was done.'), []]
  if (prompt.kind === 'take-back') {
    const { reason } = prompt
    return [{ ...closed, work: { kind: 'taking-back', reason }, result: null }, [{ kind: 'take-back', reason }]]
  }
  if (plan.kind !== 'made') return [said(closed, 'Nothing was done: the plan is gone.'), []]
  const work = { kind: 'applying', steps: prompt.steps, done: [], running: null, broken: false } as const
  return [{ ...closed, work, result: null, scroll: 0 }, [{ kind: 'apply', plan: plan.plan, detection: plan.detection }]]
}

/** Moves what is chosen where something is, else what is shown. */
function moved(state: TuiState, by: number): Next {
  if (!state.help && state.screen === 'devices' && state.details === null && state.detection.kind === 'there') {
    const last = listedDevices(state.detection.value).length - 1
    const device = Math.max(0, Math.min(last, state.device + by))
    const next = { ...state, device }
    return [{ ...next, scroll: firstLine(next, screenBody(next)) }, []]
  }
  if (!state.help && state.screen === 'approvals' && state.questions.length > 0) {
    const at = state.questions.findIndex(({ id }) => id === state.question)
    const to = at === -1 ? 0 : Math.max(0, Math.min(state.questions.length - 1, at + by))
    return [{ ...state, question: state.questions[to]?.id ?? null }, []]
  }
  const body = screenBody(state)
  const scroll = Math.max(0, Math.min(body.lines.length - bodyRows(state), firstLine(state, body) + by))
  return [{ ...state, scroll }, []]
}

function onScreen(state: TuiState, event: KeyEvent): Next {
  switch (state.screen) {
    case 'devices':
      return onDevices(state, event.key)
    case 'plan':
      return onPlan(state, event.key)
    case 'changes':
      return onChanges(state, event.key)
    case 'panels':
      return onPanels(state, event.key)
    case 'approvals':
      return answerQuestion(state, event)
    case 'system':
    case 'plugins':
      return [state, []]
  }
}

function onChanges(state: TuiState, key: string): Next {
  const reason = key === 'u' ? 'rollback' : key === 'x' ? 'cleanup' : undefined
  if (reason === undefined || state.changes.kind !== 'there') return [state, []]
  if (state.work.kind !== 'idle') return [said(state, 'The machine is being changed: wait until that is done.'), []]
  const { changes, interrupted } = state.changes.value
  const standing = changes.filter((change) => change.state !== 'undone').length
  if (standing === 0 && !interrupted) return [said(state, 'There is nothing to take back.'), []]
  return [{ ...state, prompt: { kind: 'take-back', reason, changes: standing } }, []]
}

function onPanels(state: TuiState, key: string): Next {
  const panel = shownPanel(state)
  if (panel === undefined || state.panels.kind !== 'there') return [state, []]
  const tabs = state.panels.value.length
  if (key === 'left' || key === 'right') {
    return [{ ...state, panel: (state.panel + (key === 'left' ? tabs - 1 : 1)) % tabs, scroll: 0 }, []]
  }
  const actions = state.content.kind === 'there' ? actionsOf(state.content.value) : []
  const action = actions[state.action % Math.max(1, actions.length)]
  if (action === undefined) return [state, []]
  if (key === 'n') return [{ ...state, action: (state.action + 1) % actions.length }, []]
  return key === 'enter' ? [state, [{ kind: 'do-action', panel, action }]] : [state, []]
}
