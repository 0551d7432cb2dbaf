/** The screens, in the order of their numbers. */
export const screens = ['system', 'devices', 'plan', 'changes', 'plugins', 'panels', 'approvals']
const waiting = { kind: 'waiting' }
/** Before anything is known. */
export function firstState(columns, rows) {
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
    choices: { bind: 'now', allowBootScreen: false },
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
//# sourceMappingURL=tui-state.js.map
