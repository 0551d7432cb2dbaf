import { highlight, printable, printableLine } from '@backplane/terminal'
import type { Permissions, Used } from '../host-answers.ts'
import type { Terminal } from '../terminal/terminal.ts'

/** Things that are shown of each permission. */
const shownSeen = 5

/** What a plugin used of each permission, and what could be withheld. */
export function usedText(terminal: Terminal, { id, version, audit, used, proposal }: Permissions): string {
  if (used === undefined || proposal === undefined) return 'this host does not tell what plugins use\n'
  if (used.length === 0) return `${printable(`${id} ${version}`)} asks for nothing\n`
  const mode = audit == null ? '' : audit.on ? ', in audit mode' : `, not in audit mode: ${audit.reason ?? ''}`
  const { unused, narrower } = proposal
  const rest = unused.filter((permission) => used.find((one) => one.permission === permission)?.withheld !== true)
  return [
    `${printableLine(`${id} ${version}${mode}`)}\n`,
    ...used.map((one) => entryText(terminal, one, narrower[one.permission] ?? [])),
    ...(rest.length === 0 ? [] : [`not needed so far: backplane grants propose ${printable(id)}\n`]),
  ].join('')
}

function entryText(terminal: Terminal, one: Used, narrower: readonly string[]): string {
  const { used, unknown, withheld, needed_for: neededFor } = one
  const [mark, style] = withheld
    ? (['-', 'dim'] as const)
    : used === null
      ? (['?', 'yellow'] as const)
      : (['✓', 'green'] as const)
  const lines = [
    withheld ? 'withheld' : countText(used, unknown),
    ...(neededFor === null ? [] : [`needed for ${neededFor}, which it fills`]),
    ...(used?.seen ?? []).slice(0, shownSeen).map((what) => `· ${what}`),
    ...(used !== null && (used.seen.length > shownSeen || !used.complete) ? ['· and others'] : []),
    ...(narrower.length === 0 ? [] : [`would do with: ${narrower.join(', ')}`]),
  ]
  const isUnused = !withheld && used?.count === 0
  const head = highlight(terminal, isUnused ? 'red' : style, isUnused ? '✗' : mark)
  return `${head} ${printable(one.permission)}\n${lines.map((line) => `    ${printableLine(line)}\n`).join('')}`
}

function countText(used: Used['used'], unknown: string | null): string {
  if (used === null) return `nobody can say: ${unknown ?? ''}`
  const since = unknown === null ? '' : `; not told any more: ${unknown}`
  if (used.count === 0) return `never used${since}`
  const who = used.by === 'plugin' ? ', by its own word' : ''
  return `used ${used.count === 1 ? 'once' : `${used.count} times`}${who}, last at ${used.last ?? ''}${since}`
}
