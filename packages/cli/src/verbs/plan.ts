import type { Command } from 'commander'
import { backplaneErrors } from '../errors.ts'
import { agreeOn, readGrantFile, unapprovedText, type AgreeOptions } from '../installing/approvals.ts'
import { applyPlan, planOf, tellNotWithheld, withheldIn, type Change } from '../installing/change-installed.ts'
import { planText } from '../installing/plan-text.ts'
import { hostReference } from '../installing/reference.ts'
import { jsonText, readJson, writeText } from '../offline/file-text.ts'
import { show, type Runner, type Session } from '../session.ts'
import { examples } from './examples.ts'
import { agreed } from './install-verbs.ts'

interface PlanOptions {
  readonly add?: string[]
  readonly update?: string[] | true
  readonly remove?: string[]
  readonly out?: string
}

interface ApplyOptions extends AgreeOptions {
  readonly force?: true
}

/** Adds `plan` and `apply`. */
export function addPlan(program: Command, run: Runner): void {
  const plan = program
    .command('plan')
    .description('say what changes of what is installed come to; nothing is changed (default: update everything)')
    .option('--add <references...>', 'install these')
    .option('--update [plugins...]', 'update these; all without ids')
    .option('--remove <plugins...>', 'uninstall these')
    .option('--out <file>', 'write the plan to a file, for apply')
  examples(
    plan,
    ['plan', 'plan --add npm:@acme/s3@^1.2 --out plan.json', 'plan --update acme/s3 --json'],
    'Ends with 3 when changes are pending, with 0 when there are none.',
  )
  plan.action(run(makePlan))
  const apply = agreed(program.command('apply <file>').description('do what a plan says, if it still comes to the same')).option(
    '--force',
    'also remove what is in use: what it is at is ended',
  )
  examples(
    apply,
    ['plan --add ./s3.tgz --out plan.json; backplane apply plan.json', 'apply plan.json --grant-file grants.json --yes'],
    'A lock that was changed since, or packages that are others now, are refused: plan again and look.',
  )
  apply.action(run(applyFile))
}

async function makePlan(session: Session, { add = [], update, remove = [], out }: PlanOptions): Promise<number> {
  const changes: Change[] = []
  for (const reference of add) changes.push({ kind: 'add', reference: await hostReference(session, reference) })
  if (Array.isArray(update)) changes.push(...update.map((id) => ({ kind: 'update', id })))
  const isEmpty = changes.length === 0 && remove.length === 0
  if (update === true || isEmpty) changes.push({ kind: 'update' })
  changes.push(...remove.map((id) => ({ kind: 'remove', id })))
  const plan = await planOf(session, changes)
  const document = { changes, ...plan }
  if (out !== undefined) await writeText(out, jsonText(document))
  show(session, document, () => `${planText(session.terminal, plan)}${unapprovedText(session.terminal, plan)}`)
  return plan.pending ? 3 : 0
}

async function applyFile(session: Session, path: string, options: ApplyOptions): Promise<number> {
  const { changes, etag } = await readPlan(path)
  const file = await readGrantFile(options)
  // What is shown and agreed to is what the host says now, not what the file says it was.
  const looked = await planOf(session, changes)
  // The file of the plan was made without what is withheld; where it still holds, the same with it is what is done.
  const plan = looked.etag === etag && file !== undefined ? await planOf(session, changes, file) : looked
  if (looked.etag === etag && plan.pending && !session.json) session.terminal.err(planText(session.terminal, plan))
  const approvals = looked.etag === etag ? await agreeOn(session, plan, { ...options, file }) : {}
  const { force = false } = options
  const order = looked.etag === etag ? { etag: plan.etag, ...withheldIn(file) } : { etag }
  const done = await applyPlan(session, { changes, approvals, ...order, ...(force ? { force } : {}) })
  return (await tellNotWithheld(session, plan, file)) ? 1 : done
}

/** Errors: `BACKPLANE_FILE_UNREADABLE`, `BACKPLANE_FILE_INVALID`. */
async function readPlan(path: string): Promise<{ readonly changes: readonly Change[]; readonly etag: string }> {
  const hint = 'Make it with `backplane plan --out <file>`.'
  const plan = await readJson(path, hint)
  const changes: unknown = Reflect.get(Object(plan), 'changes')
  const etag: unknown = Reflect.get(Object(plan), 'etag')
  if (Array.isArray(changes) && typeof etag === 'string') return { changes: changes as readonly Change[], etag }
  throw backplaneErrors.error('BACKPLANE_FILE_INVALID', { path, reason: 'it is no plan', hint })
}
