import { follow } from '@backplane/server/client'
import type { Command } from 'commander'
import type { Runner, Session } from '../session.ts'
import { printable, printableJson } from '@backplane/terminal'
import { examples } from './examples.ts'

interface EventsOptions {
  readonly since?: string
  readonly plugin?: string
}

/** Adds `events`. */
export function addEvents(program: Command, run: Runner): void {
  const events = program
    .command('events')
    .description('print what happens to plugins, until Ctrl-C')
    .option('--since <event>', 'begin after this event (its id or number; 0 for all that are kept)')
    .option('--plugin <id>', 'only what is about this plugin: its id, or the part after the slash')
  examples(events, ['events --plugin hypersdk/libvirt', `events --since 0 --json | jq -c 'select(.event == "limit.exceeded")'`])
  events.action(run(printEvents))
}

async function printEvents({ api, terminal, json }: Session, { since, plugin }: EventsOptions): Promise<void> {
  const onBreak = (): void => terminal.err('the host went away; waiting for it to come back\n')
  for await (const { id, event, data } of follow(api(), '/api/events', { since, onBreak, signal: terminal.untilBreak() })) {
    const members = Object(data) as Readonly<Record<string, unknown>>
    if (plugin !== undefined && !isAbout(members, plugin)) continue
    terminal.out(json ? `${printableJson({ id, event, data })}\n` : `${eventLine(event, members)}\n`)
  }
}

/** A bare name means every plugin that is called so. */
function isAbout({ plugin }: Readonly<Record<string, unknown>>, id: string): boolean {
  return typeof plugin === 'string' && (plugin === id || plugin.endsWith(`/${id}`))
}

function eventLine(event: string, data: Readonly<Record<string, unknown>>): string {
  const { at, seq, type: _type, ...rest } = data
  const words = Object.entries(rest).map(
    ([name, value]) => `${name}=${typeof value === 'string' ? value : JSON.stringify(value)}`,
  )
  return printable([...(typeof at === 'string' ? [at] : []), `#${String(seq)}`, event, ...words].join(' '))
}
