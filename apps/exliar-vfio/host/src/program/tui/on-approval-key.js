/** Answered questions that are still shown. */
const keptDecided = 20
/** Most of what is typed as a reason, characters. */
const longestReason = 400
/** Answers the question that is shown: `y` allows it, `n` asks for a reason first. */
export function answerQuestion(state, { key, alone }) {
  if (state.questions.length === 0 || !alone || (key !== 'y' && key !== 'n')) return [state, []]
  if (state.question === null)
    return [{ ...state, message: { tone: 'plain', text: 'Choose a question with ↑ and ↓ first.' } }, []]
  return key === 'y' ? decided(state, state.question, true) : [{ ...state, refusing: '' }, []]
}
/** While a reason is typed every key is part of it. */
export function typeReason(state, key) {
  const { refusing, question } = state
  if (refusing === null) return [state, []]
  if (key === 'escape' || question === null) return [{ ...state, refusing: null }, []]
  if (key === 'enter') return decided(state, question, false)
  if (key === 'backspace') return [{ ...state, refusing: Array.from(refusing).slice(0, -1).join('') }, []]
  return [Array.from(key).length === 1 ? withReason(state, key) : state, []]
}
/** Adds to the reason that is typed; nothing where none is. */
export function withReason(state, text) {
  return state.refusing === null ? state : { ...state, refusing: (state.refusing + text).slice(0, longestReason) }
}
function decided(state, id, approved) {
  const request = state.questions.find((one) => one.id === id)
  if (request === undefined) return [{ ...state, question: null, refusing: null }, []]
  const typed = state.refusing?.trim() ?? ''
  const reason = typed === '' ? null : typed
  const after = {
    ...state,
    questions: state.questions.filter((one) => one !== request),
    question: null,
    refusing: null,
    decided: [{ request, approved, reason }, ...state.decided].slice(0, keptDecided),
  }
  return [after, [{ kind: 'decide', id, approved, reason }]]
}
//# sourceMappingURL=on-approval-key.js.map
