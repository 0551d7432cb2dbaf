import type { Command } from 'commander'
import { exliarErrors } from '../../errors.ts'
import { examples } from '../examples.ts'
import type { Runner } from '../run-verb.ts'
import type { Session } from '../session.ts'

/** Adds `tui`. */
export function addTui(program: Command, run: Runner): void {
  const tui = program.command('tui').description('all of it on one screen, with keys; also what exliar alone does on a terminal')
  examples(tui, ['tui', 'tui --root examples/exliar/limine-booster'])
  tui.action(run(startTui))
}

/** Runs the terminal interface. Errors: `EXLIAR_NO_TERMINAL`. */
export async function startTui(session: Session): Promise<void> {
  const { screen } = session.terminal
  if (screen === undefined) throw exliarErrors.error('EXLIAR_NO_TERMINAL')
  // Imported only now: a report must not wait for it.
  const { runTui } = await import('./run-tui.ts')
  await runTui(session, screen)
}
