import type { Command } from 'commander'
import { follow } from '@backplane/server/client'
import type { Runner, Session } from '../session.ts'
import { printable, printableJson } from '@backplane/terminal'
import { examples } from './examples.ts'

/** Adds `events`. */
export function addEventCommands(program: Command, run: Runner): void {
  const events = program
    .command('events')
    .description('print what happens to plugins, until Ctrl-C')
    .option('--since <event>', 'begin after this event (its id or number; 0 for all that are kept)')
  examples(events, ['events', `events --since 0 --json | jq -c 'select(.event == "plugin.update-failed")'`])
  events.action(run((session, { since }: { since?: string }) => printEvents(session, since)))
}

async function printEvents({ api, terminal, json }: Session, since: string | undefined): Promise<void> {
  const onBreak = (): void => terminal.err('the daemon went away; waiting for it to come back\n')
  for await (const { id, event, data } of follow(api, '/api/events', { since, onBreak })) {
    terminal.out(json ? `${printableJson({ id, event, data })}\n` : `${eventLine(event, data as Record<string, unknown>)}\n`)
  }
}

function eventLine(event: string, data: Readonly<Record<string, unknown>>): string {
  const { at, seq: _seq, type: _type, ...rest } = data
  const words = Object.entries(rest).map(
    ([name, value]) => `${name}=${typeof value === 'string' ? value : JSON.stringify(value)}`,
  )
  return printable([...(typeof at === 'string' ? [at] : []), event, ...words].join(' '))
}
