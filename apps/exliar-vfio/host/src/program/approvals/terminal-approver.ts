import type { ApprovalRequest } from '@backplane/kernel'
import { clipped, highlight, printable, printableJson, printableLine } from '@backplane/terminal'
import type { Terminal } from '../terminal.ts'
import type { Approver } from './asked-desk.ts'

/** Most that is shown of an input, columns; `…` says that there is more. */
const longestInput = 1_000

/** Asks who sits at the terminal; where nobody does, the answer is no. */
export function terminalApprover(terminal: Terminal): Approver {
  return async (request, signal) => {
    if (terminal.ask === undefined) {
      return {
        approved: false,
        by: 'exliar',
        reason: 'nobody sits at the terminal exliar was started from, and only a person may allow it',
      }
    }
    const said = (await terminal.ask(questionText(terminal, request), signal)).trim()
    if (signal.aborted) {
      terminal.err(printable(`Nobody waits for the answer to ${request.plugin} any more.`).concat('\n'))
      signal.throwIfAborted()
    }
    if (/^y(es)?$/i.test(said)) return { approved: true }
    const reason = said.replace(/^no?\b[\s,:]*/i, '')
    return { approved: false, reason: reason === '' ? 'the person at the terminal said no' : reason }
  }
}

function questionText(terminal: Terminal, { plugin, version, sentence, point, method, input }: ApprovalRequest): string {
  const who = highlight(terminal, 'bold', printable(version === undefined ? plugin : `${plugin} ${version}`))
  const what = clipped(printable(`${point} ${method} ${printableJson(input ?? null)}`), longestInput)
  return `${who} wants to ${printableLine(sentence)}\n  ${what}\nAllow it? [y/N, or n and why] `
}
