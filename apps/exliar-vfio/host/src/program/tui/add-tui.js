import { exliarErrors } from '../../errors.js'
import { examples } from '../examples.js'
/** Adds `tui`. */
export function addTui(program, run) {
  const tui = program.command('tui').description('all of it on one screen, with keys; also what exliar alone does on a terminal')
  examples(tui, ['tui', 'tui --root examples/exliar/limine-booster'])
  tui.action(run(startTui))
}
/** Whether somebody sits at a terminal that can be drawn on. */
export function canDraw({ stdin, stdout } = process) {
  return stdin.isTTY && stdout.isTTY
}
/** Runs the terminal interface. Errors: `EXLIAR_NO_TERMINAL`. */
export async function startTui(session) {
  if (!canDraw()) throw exliarErrors.error('EXLIAR_NO_TERMINAL')
  // Imported only now: a report must not wait for it.
  const { runTui } = await import('./run-tui.js')
  await runTui(session)
}
//# sourceMappingURL=add-tui.js.map
