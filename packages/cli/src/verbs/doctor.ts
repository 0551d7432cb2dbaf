import { probeSystem } from '@backplane/runtimes'
import type { Command } from 'commander'
import type { System } from '../host-answers.ts'
import { show, type Runner, type Session } from '../session.ts'
import { highlight, printable, printableLine, tableText } from '@backplane/terminal'
import { examples } from './examples.ts'

/** Without these, plugins of strangers do not run, or run less apart than their tier promises. */
const needed: ReadonlySet<string> = new Set(['node-permissions', 'sandbox', 'system-call-filter', 'lifetime'])

/** Adds `doctor`. */
export function addDoctor(program: Command, run: Runner): void {
  const doctor = program
    .command('doctor')
    .description('say what this machine has to hold plugins with, what is missing and how to get it')
    .option('--strict', 'every layer is needed, not only what the sandbox is made of')
  examples(
    doctor,
    ['doctor', 'doctor --strict --json', 'doctor --socket /run/hypersdk/hypervisord.sock'],
    'With a host, what that host found, as its user and in its container; else what there is here.\nEnds with 1 when something needed is missing.',
  )
  doctor.action(run(examine))
}

async function examine(session: Session, { strict = false }: { readonly strict?: boolean }): Promise<number> {
  const found = session.hasHost ? ((await session.api().get('/api/system')) as System) : probeSystem()
  const missing = found.layers.filter(({ layer, available }) => !available && (strict || needed.has(layer)))
  const { terminal } = session
  show(session, { ...found, healthy: missing.length === 0, needed: missing.map(({ layer }) => layer) }, () =>
    tableText(found.layers, [
      ['LAYER', ({ layer }) => layer],
      ['HERE', ({ layer, available }) => (available ? 'yes' : strict || needed.has(layer) ? 'MISSING' : 'no')],
      ['MECHANISM', ({ mechanism }) => mechanism],
      ['WHAT IS MISSING', (one) => one.missing ?? null],
      ['HOW TO GET IT', (one) => one.install ?? null],
    ]),
  )
  if (found.layers.length === 0) terminal.err('the host does not say what it has to hold plugins with\n')
  for (const { layer, detail, install } of missing) {
    const how = install == null ? '' : ` Run: ${install}`
    terminal.err(`${highlight(terminal, 'red', printable(layer))} is missing. ${printableLine(`${detail}${how}`)}\n`)
  }
  return missing.length > 0 || found.layers.length === 0 ? 1 : 0
}
