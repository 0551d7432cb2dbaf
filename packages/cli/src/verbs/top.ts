import { setTimeout as wait } from 'node:timers/promises'
import { didYouMean } from '@backplane/sdk'
import type { Command } from 'commander'
import { backplaneErrors } from '../errors.ts'
import type { Top, TopRow } from '../host-answers.ts'
import { show, type Runner, type Session } from '../session.ts'
import { bytesText, tableText } from '@backplane/terminal'
import { examples } from './examples.ts'

const sorts: Readonly<Record<string, (row: TopRow) => number>> = {
  cpu: (row) => row.cpu_percent ?? 0,
  memory: (row) => row.memory_bytes ?? row.heap_bytes ?? 0,
  stall: (row) => row.stall_ms ?? 0,
  calls: (row) => row.calls_per_second ?? 0,
  errors: (row) => row.errors,
  p99: (row) => row.p99_ms,
  violations: (row) => row.violations + row.denials,
}

/** Adds `top`. */
export function addTop(program: Command, run: Runner): void {
  const top = program
    .command('top')
    .description('show what every running plugin uses and does, until Ctrl-C')
    .option('--sort <by>', `one of ${Object.keys(sorts).join(', ')}, id`, sortBy, 'cpu')
    .option('--interval <seconds>', 'between two looks', seconds, 2)
    .option('--once', 'look once')
  examples(
    top,
    ['top', 'top --sort memory', `top --json | jq '.plugins[] | select(.violations > 0) | .id'`],
    'Looks once with --json, and where the output is not a terminal. Counts and latencies are since the host started.',
  )
  top.action(run(watch))
}

interface TopOptions {
  readonly sort: string
  readonly interval: number
  readonly once?: boolean
}

async function watch(session: Session, { sort, interval, once = false }: TopOptions): Promise<void> {
  const { terminal, json } = session
  const look = async (): Promise<Top> => sorted((await session.api().get('/api/top')) as Top, sort)
  if (json || once || !terminal.live) {
    const first = await look()
    // Calls a second are over the time since a look before.
    if (first.over_ms === null) await wait(600)
    const answer = first.over_ms === null ? await look() : first
    show(session, answer, () => topTable(answer))
    return
  }
  const broken = terminal.untilBreak()
  while (!broken.aborted) {
    const answer = await look()
    terminal.out(`\u001B[H\u001B[2J${topTable(answer)}`)
    await wait(interval * 1_000, undefined, { signal: broken }).catch(() => undefined)
  }
}

function sorted(top: Top, sort: string): Top {
  const by = sorts[sort]
  return by === undefined ? top : { ...top, plugins: top.plugins.toSorted((one, other) => by(other) - by(one)) }
}

function topTable({ plugins }: Top): string {
  return tableText(plugins, [
    ['PLUGIN', ({ id }) => id],
    ['VERSION', ({ version }) => version],
    ['STATE', ({ state }) => state],
    ['TIER', ({ tier }) => tier],
    ['GEN', ({ generation }) => generation],
    ['CPU%', (row) => row.cpu_percent],
    ['MEMORY', (row) => size(row.memory_bytes)],
    ['HEAP', (row) => size(row.heap_bytes)],
    ['STALL ms', (row) => round(row.stall_ms)],
    ['PROCS', (row) => row.processes],
    ['FILES', (row) => row.open_files],
    ['CALLS/s', (row) => round(row.calls_per_second)],
    ['ERRORS', ({ errors }) => errors],
    ['P50 ms', (row) => round(row.p50_ms)],
    ['P99 ms', (row) => round(row.p99_ms)],
    ['VIOLATIONS', ({ violations, denials }) => (violations ?? 0) + (denials ?? 0)],
  ])
}

// A host may be older: what it does not tell is undefined.
function size(bytes: number | null | undefined): string | null {
  return bytes == null ? null : bytesText(bytes)
}

function round(value: number | null | undefined): number | null {
  return value == null ? null : Number(value.toPrecision(3))
}

function sortBy(text: string): string {
  const known = [...Object.keys(sorts), 'id']
  if (known.includes(text)) return text
  const reason = `--sort ${text} is none of ${known.join(', ')}${didYouMean(text, known)}`
  throw backplaneErrors.error('BACKPLANE_USAGE', { reason })
}

function seconds(text: string): number {
  const value = Number(text)
  if (value >= 0.1 && value <= 3_600) return value
  throw backplaneErrors.error('BACKPLANE_USAGE', { reason: `--interval ${text} is not a number of seconds from 0.1 to 3600` })
}
