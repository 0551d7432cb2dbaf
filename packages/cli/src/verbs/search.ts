import type { Command } from 'commander'
import type { FoundPackages } from '../host-answers.ts'
import { show, type Runner, type Session } from '../session.ts'
import { clipped, highlight, printable, printableLine, tableText } from '@backplane/terminal'
import { examples } from './examples.ts'

/** Adds `search`. */
export function addSearch(program: Command, run: Runner): void {
  const search = program
    .command('search [words...]')
    .description('look for packages to install, in the indexes and registries of the host (without words: all there is)')
  examples(
    search,
    ['search object storage', `search s3 --json | jq -r '.packages[].reference'`],
    'An index that cannot be read is searched as it was when it last could; AS OF says when that was signed.\nEnds with 1 when nothing is found.',
  )
  search.action(run(searchPackages))
}

async function searchPackages(session: Session, words: string[]): Promise<number> {
  const answer = (await session.api().get('/api/packages/search', new URLSearchParams({ q: words.join(' ') }))) as FoundPackages
  show(session, answer, () =>
    tableText(answer.packages, [
      ['PACKAGE', ({ name }) => name],
      ['VERSION', ({ version }) => version],
      ['WHERE', ({ source }) => source],
      ['AS OF', ({ as_of: asOf }) => asOf?.slice(0, 10) ?? null],
      ['WHAT IT IS', ({ description }) => (description === null ? null : clipped(printableLine(description), 80))],
      ['INSTALL WITH', ({ reference }) => `add ${reference}`],
    ]),
  )
  const { terminal } = session
  for (const { source, message } of answer.problems) {
    terminal.err(`${highlight(terminal, 'yellow', printable(source))} could not be asked: ${printableLine(message)}\n`)
  }
  return answer.packages.length === 0 ? 1 : 0
}
