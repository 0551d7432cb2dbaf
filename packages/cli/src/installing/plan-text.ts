import type { Plan, PlanPut, Sentence } from '../host-answers.ts'
import { bytesText, highlight, printable, printableLine } from '@backplane/terminal'
import type { Terminal } from '../terminal/terminal.ts'

const riskStyles: Readonly<Record<string, 'red' | 'yellow' | 'green'>> = { high: 'red', medium: 'yellow', low: 'green' }

/** Permissions as sentences, grouped by risk as they come. */
export function sentencesText(terminal: Terminal, sentences: readonly Sentence[]): string {
  const groups = new Map<string, Sentence[]>()
  for (const one of sentences) groups.set(one.risk, [...(groups.get(one.risk) ?? []), one])
  const texts = [...groups].map(([risk, members]) => {
    const lines = members.map(({ sentence, reason }) => `    - ${printable(sentence)}${because(reason)}\n`)
    return `  ${highlight(terminal, riskStyles[risk] ?? 'red', `${printable(risk)} risk`)}\n${lines.join('')}`
  })
  return texts.join('')
}

function because(reason: string): string {
  return reason === '' ? '' : ` (${printableLine(reason)})`
}

/** What a plan comes to, step by step. */
export function planText(terminal: Terminal, { steps }: Plan): string {
  if (steps.length === 0) return 'nothing to do\n'
  return steps
    .map((step) => {
      if (step.kind === 'remove') {
        const why = step.orphan ? ' (nobody needs it any more)' : ''
        return `${highlight(terminal, 'red', '-')} ${printable(`${step.id} ${step.version}`)}${why}\n`
      }
      return putText(terminal, step)
    })
    .join('')
}

function putText(terminal: Terminal, step: PlanPut): string {
  const { id, version, from, source, size_bytes: sizeBytes, needed_by: neededBy, permissions, settings, license } = step
  const mark = step.kind === 'install' ? highlight(terminal, 'green', '+') : highlight(terminal, 'yellow', '~')
  const versions = from === null ? version : `${from} → ${version}`
  const lines = [
    `from ${source}, ${bytesText(sizeBytes)}, ${trustText(step)}`,
    ...(neededBy.length === 0 ? [] : [`needed by ${neededBy.join(', ')}`]),
    ...step.verdict.rules.filter(({ outcome }) => outcome === 'waived').map(({ reason }) => `let pass: ${reason}`),
    ...named('runs without', permissions.withheld ?? []),
    ...named('no longer asks for', permissions.dropped),
    ...named('new settings', settings.added),
    ...named('settings that are gone', settings.removed),
    ...named('settings of another shape', settings.changed),
    ...named('settings it has to be given now', settings.required),
    ...(license.from === license.to || from === null ? [] : [`licence ${license.from ?? 'unsaid'} → ${license.to ?? 'unsaid'}`]),
    ...(permissions.unapproved.length === 0
      ? []
      : [`asks for ${permissions.unapproved.length} permission(s) that nobody approved`]),
  ]
  return `${mark} ${printable(`${id} ${versions}`)}\n${lines.map((line) => `    ${printableLine(line)}\n`).join('')}`
}

function trustText({ verdict }: PlanPut): string {
  return verdict.publisher === null ? verdict.trust : `${verdict.trust} by ${verdict.publisher}`
}

function named(what: string, names: readonly string[]): readonly string[] {
  return names.length === 0 ? [] : [`${what}: ${names.join(', ')}`]
}
