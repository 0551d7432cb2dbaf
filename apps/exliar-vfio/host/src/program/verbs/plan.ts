import { highlight, printable, printableLine } from '@backplane/terminal'
import type { Command } from 'commander'
import { underWay, type UnderWay } from '../../changes/open-changes.ts'
import { configure } from '../../lifecycle/configure.ts'
import type { Detection } from '../../lifecycle/detect.ts'
import { planCards } from '../../lifecycle/plan-cards.ts'
import { describePlan } from '../../plan/describe-plan.ts'
import type { PlanOptions } from '../../plan/make-plan.ts'
import type { Plan } from '../../plan/plan.ts'
import { exliarErrors } from '../../errors.ts'
import { undoText } from '../change-work.ts'
import { counted } from '../counted.ts'
import { warnOf } from '../warn-of.ts'
import { examples } from '../examples.ts'
import type { Runner } from '../run-verb.ts'
import type { Session } from '../session.ts'

interface PlanFlags {
  readonly takeAlong?: readonly string[]
  readonly allowBootScreen?: true
  readonly bind: 'now' | 'at-start'
  readonly leaveOut?: readonly NonNullable<PlanOptions['leaveOut']>[number][]
}

const changesPending = 3

/** Adds `plan` and `apply`. */
export function addPlan(program: Command, run: Runner): void {
  const plan = planFlags(
    program
      .command('plan <slots...>')
      .description('what would be done to pass cards through: functions that move, steps, and the difference of each file'),
  ).option('--exit-code', `exit with ${changesPending} when something is to be done`)
  examples(plan, ['plan 0000:01:00', 'plan 01:00 --bind at-start --json'])
  plan.action(
    run(async (session, slots: readonly string[], flags: PlanFlags & { readonly exitCode?: true }) => {
      const made = await planFor(session, slots, flags)
      session.show(planJson(made.plan), () => coloured(session, describePlan(made.plan)))
      return flags.exitCode === true && made.plan.stages.length > 0 ? changesPending : 0
    }),
  )
  const apply = planFlags(
    program.command('apply <slots...>').description('shows the plan, asks, and does it; what fails midway is taken back at once'),
  )
    .option('--yes', 'do not ask')
    .option('--dry-run', 'only show the plan; not a byte is changed')
    .option('--etag <etag>', 'do it only when the plan is still this one')
  examples(apply, [
    'apply 0000:01:00',
    'apply 01:00 --dry-run',
    'apply 01:00 --yes --etag "$(exliar plan 01:00 --json | jq -r .etag)"',
  ])
  apply.action(run(async (session, slots: readonly string[], flags: PlanFlags & ApplyFlags) => applyPlan(session, slots, flags)))
}

interface ApplyFlags {
  readonly yes?: true
  readonly dryRun?: true
  readonly etag?: string
}

function planFlags(command: Command): Command {
  return command
    .option('--take-along <slots...>', 'other cards of the same IOMMU groups that go too')
    .option('--allow-boot-screen', 'the card that shows the machine’s first picture may go')
    .option('--bind <when>', 'now, where that is safe, or at-start', oneOf('--bind', ['now', 'at-start']), 'now')
    .option(
      '--leave-out <parts...>',
      'initramfs, bootloader: done by hand',
      severalOf('--leave-out', ['initramfs', 'bootloader']),
    )
}

function oneOf(flag: string, choices: readonly string[]): (text: string) => string {
  return (text) => {
    if (choices.includes(text)) return text
    throw exliarErrors.error('EXLIAR_USAGE', { reason: `${flag} takes ${choices.join(' or ')}, not ${text}` })
  }
}

/** For a flag that takes several. */
function severalOf(flag: string, choices: readonly string[]): (text: string, before?: readonly string[]) => readonly string[] {
  const one = oneOf(flag, choices)
  return (text, before = []) => [...before, one(text)]
}

async function planFor(
  session: Session,
  slots: readonly string[],
  flags: PlanFlags,
): Promise<{ readonly plan: Plan; readonly detection: Detection }> {
  const detection = await session.detect()
  const full = (slot: string): string => (/^[\da-f]{2}:/i.test(slot) ? `0000:${slot}` : slot).toLowerCase()
  const selection = {
    select: slots.map(full),
    takeAlong: (flags.takeAlong ?? []).map(full),
    allowBootScreen: flags.allowBootScreen === true,
  }
  const options = { bind: flags.bind, leaveOut: flags.leaveOut ?? [] }
  const plan = planCards(session.tree, detection, selection, options)
  for (const { plugin, at, message } of detection.troubles) {
    session.warn(`${plugin} failed in ${at}: ${message}`)
  }
  return { plan, detection }
}

function refuseUnderWay(now: UnderWay): void {
  if (now.kind === 'running') throw exliarErrors.error('CHANGES_BUSY', { pid: now.pid }, { details: { pid: now.pid } })
  if (now.kind === 'interrupted') throw exliarErrors.error('CHANGES_UNFINISHED')
}

async function applyPlan(session: Session, slots: readonly string[], flags: PlanFlags & ApplyFlags): Promise<number> {
  // Asked about first: a plan made over half of another one is nobody's wish.
  if (flags.dryRun !== true) refuseUnderWay(underWay(session.tree))
  const { plan, detection } = await planFor(session, slots, flags)
  if (flags.etag !== undefined && flags.etag !== plan.etag) {
    throw exliarErrors.error('PLAN_STALE', { paths: `its etag is ${plan.etag} now` })
  }
  const { terminal } = session
  if (flags.dryRun === true || plan.stages.length === 0) {
    session.show({ ...planJson(plan), applied: false }, () => coloured(session, describePlan(plan)))
    return 0
  }
  const isAsked = flags.yes !== true && terminal.ask !== undefined
  if (!session.json || isAsked) terminal.err(coloured(session, describePlan(plan)))
  if (flags.yes !== true) {
    if (terminal.ask === undefined) throw exliarErrors.error('EXLIAR_NOBODY_TO_ASK')
    if (!/^y(es)?$/i.test((await terminal.ask('Do it? [y/N] ')).trim())) return 1
  }
  const { hooks, kernel } = await session.plugins()
  session.onHookRun = (run) => warnOf(session, run)
  await using changes = await session.openChanges()
  const applied = await configure(plan, detection, { changes, hooks, kernel, signal: terminal.signal })
  if (applied.kind === 'applied') {
    const { run, changes: done, notes } = applied
    session.show({ applied: true, run, changes: done, notes, reboot: plan.reboot }, () =>
      [
        ...notes.map(printableLine),
        `Done: ${counted(done.length, 'change')}. \`exliar cleanup\` takes back what was done.`,
        ...(plan.reboot ? ['Start the machine again: only then all of it counts.'] : []),
        '',
      ].join('\n'),
    )
    return 0
  }
  const { reason, plugin, undo } = applied
  terminal.err(session.json ? '' : undoText(undo))
  throw exliarErrors.error(
    undo.complete ? 'APPLY_ROLLED_BACK' : 'APPLY_LEFT_SOMETHING',
    { reason },
    { ...(plugin === null ? {} : { plugin }), details: { undo: undo.changes.map(({ summary, end }) => ({ summary, end })) } },
  )
}

function planJson(plan: Plan): Readonly<Record<string, unknown>> {
  const { title, functions, stages, diffs, reboot, notes, etag } = plan
  return {
    title,
    functions: functions.map(({ device, because }) => ({ bdf: device.bdf, driver: device.driver, because })),
    steps: stages.flatMap(({ steps }) => steps.map(({ kind, summary, cause, records }) => ({ kind, summary, cause, records }))),
    diffs,
    reboot,
    notes,
    etag,
  }
}

/** Lines of a difference in the colours everybody knows. */
function coloured({ terminal }: Session, text: string): string {
  return text
    .split('\n')
    .map((line) => {
      const safe = printable(line)
      if (line.startsWith('+')) return highlight(terminal, 'green', safe)
      return line.startsWith('-') ? highlight(terminal, 'red', safe) : safe
    })
    .join('\n')
}
