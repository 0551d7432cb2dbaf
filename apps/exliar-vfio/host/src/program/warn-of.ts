import type { HookRun } from '../plugins/hook-run.ts'
import type { Session } from './session.ts'

/** Says which handlers a run of a hook went on without; one that stopped the step is told as the error it ends in. */
export function warnOf(session: Pick<Session, 'warn'>, { hook, subject, steps, refused }: HookRun): void {
  for (const { plugin, outcome, message = 'it takes no calls' } of steps) {
    if (outcome !== 'failed' && outcome !== 'skipped') continue
    if (plugin !== refused?.plugin) session.warn(`${plugin} in ${hook}${subject === null ? '' : ` ${subject}`}: ${message}`)
  }
}
