import { z } from 'zod'
import { exliarErrors } from '../errors.ts'
import type { Entry, Ground, LastExecutor, Performed, Undone } from './executor.ts'
import { restoreFile, type FileMark } from './file-marks.ts'
import { Generated, generatedFiles, identityOf, writtenMs } from './generated-files.ts'
import { putBackLine, shellQuoted } from './shell-lines.ts'
import type { Making, RunCommandStep } from './step.ts'

/** A file written later than this after an interrupted program began is not that program's: it is ended before. */
const longestRunMs = 15 * 60_000

const Before = z.object({ generated: z.array(Generated).readonly(), startedMs: z.number() })
const After = z.object({ generated: z.array(Generated).readonly(), leftOut: z.string().nullable() })

/** Runs programs that make files from configuration; they are taken back when that configuration is. */
export const commandExecutor: LastExecutor = { look, perform, standing, undoTogether, scriptTogether }

async function look({ generates }: RunCommandStep, { tree, backups }: Ground): Promise<unknown> {
  const generated = generatedFiles(tree, generates)
  for (const file of generated) {
    if (file.kind === 'kept') await backups.keep(tree.readBytes(file.path) ?? Buffer.alloc(0))
  }
  return { generated, startedMs: Date.now() } satisfies z.output<typeof Before>
}

async function perform(step: RunCommandStep, _before: unknown, { tree, run, atPoint }: Ground): Promise<Performed> {
  const command = commandText(step)
  const end = await run(step.program, step.args)
  atPoint('a program was run')
  switch (end.kind) {
    case 'left-out':
      return { after: { generated: [], leftOut: end.reason }, notes: [`Left out, because ${end.reason}: ${command}`] }
    case 'failed': {
      const said = end.errors.trim().split('\n').at(-1) ?? ''
      throw exliarErrors.error('COMMAND_FAILED', { command, reason: said === '' ? end.reason : `${end.reason}: ${said}` })
    }
    case 'done':
      return { after: { generated: generatedFiles(tree, step.generates), leftOut: null }, notes: [] }
  }
}

function standing({ step, before, after }: Entry, { tree }: Ground): 'before' | 'after' | 'other' {
  const now = step.kind === 'run-command' ? JSON.stringify(generatedFiles(tree, step.generates).map(identityOf)) : ''
  if (now === JSON.stringify(Before.parse(before).generated.map(identityOf))) return 'before'
  const done = After.safeParse(after)
  return done.success && now === JSON.stringify(done.data.generated.map(identityOf)) ? 'after' : 'other'
}

/** A step that was begun and not left out. */
interface Ran {
  readonly change: number
  readonly step: RunCommandStep
  readonly before: z.output<typeof Before>
  /** Undefined: it was interrupted. */
  readonly made: readonly Generated[] | undefined
}

function ranOf(entries: readonly Entry[]): readonly Ran[] {
  return entries.flatMap(({ change, step, before, after }) => {
    const { generated: made, leftOut = null } = After.safeParse(after).data ?? {}
    return step.kind === 'run-command' && leftOut === null ? [{ change, step, before: Before.parse(before), made }] : []
  })
}

function makesImages({ before, made = [] }: Ran): boolean {
  return [...before.generated, ...made].some(({ kind }) => kind === 'image')
}

function followersOf(ran: readonly Ran[]): readonly Making[] {
  return ran.flatMap(({ step }) => step.followers ?? [])
}

/**
 * Configuration is as it was by now. A small file that nobody else changed is put back to the byte; for images, and for
 * files that somebody made anew since, the program runs again, once however often it was run, and after it what makes something of
 * its files. What that one makes, or a program together with an image, belongs to the image, and stays as it is made then.
 */
async function undoTogether(entries: readonly Entry[], ground: Ground): Promise<ReadonlyMap<number, Undone>> {
  const ran = ranOf(entries)
  const plan = restorePlan(ran, ground)
  const again = await runAgain(ran, plan, ground)
  const whole = new Set([...ran.filter(makesImages).map(({ step }) => step), ...followersOf(ran)].map(commandText))
  for (const [path, file] of plan.restore) {
    const by = (plan.makers.get(path) ?? []).find((command) => again.has(command) && whole.has(command))
    // What was not there before is no part of what the program makes now.
    if (by === undefined || file === null) await putBack(path, file, ground)
    else addTo(plan.stale, by, path)
  }
  const own = new Set(ran.map(({ step }) => commandText(step)))
  const untold = new Map([...again.keys(), ...plan.doubtful.keys()].map((command) => [command, notesOn(command, plan, again)]))
  const results = new Map<number, Undone>()
  for (const { change, step } of entries) {
    if (step.kind !== 'run-command') continue
    // What was never begun is told with what it follows.
    const followers = (step.followers ?? []).map(commandText).filter((command) => !own.has(command))
    const commands = [commandText(step), ...followers]
    const reason = commands.map((command) => again.get(command)).find((end) => end !== undefined)
    const notes = commands.flatMap((command) => untold.get(command) ?? [])
    for (const command of commands) untold.delete(command)
    results.set(change, reason === undefined ? { kind: 'undone', notes } : { kind: 'kept', reason })
  }
  return results
}

function notesOn(command: string, { stale, doubtful }: RestorePlan, again: ReadonlyMap<string, string | undefined>): string[] {
  const paths = stale.get(command) ?? []
  const doubts = doubtful.get(command) ?? []
  return [
    ...(again.has(command) ? [`Made anew by ${command}${paths.length === 0 ? '' : `: ${paths.join(', ')}`}.`] : []),
    ...(doubts.length === 0
      ? []
      : [`${doubts.join(', ')} was not there before ${command} was interrupted: remove it unless somebody else made it.`]),
  ]
}

/** Runs what has to run again, oldest first, then what follows it. Answers which did, and why one failed. */
async function runAgain(
  ran: readonly Ran[],
  { stale }: RestorePlan,
  ground: Ground,
): Promise<ReadonlyMap<string, string | undefined>> {
  const steps = ran.map(({ step }) => step).toReversed()
  const followers = new Map(followersOf(ran).map((making) => [commandText(making), making]))
  const due = new Set(stale.keys())
  const ends = new Map<string, string | undefined>()
  const once = async (making: Making): Promise<void> => {
    const command = commandText(making)
    if (!due.delete(command)) return
    const end = await ground.run(making.program, making.args)
    ground.atPoint('a program was run again')
    ends.set(command, end.kind === 'done' ? undefined : `${command} must be run by hand: ${end.reason}`)
    if (end.kind === 'done') for (const follower of making.followers ?? []) due.add(commandText(follower))
  }
  for (const step of steps) if (!followers.has(commandText(step))) await once(step)
  for (const making of followers.values()) await once(making)
  return ends
}

interface RestorePlan {
  /** Small files and what they become; null: they were not there. */
  readonly restore: ReadonlyMap<string, FileMark | null>
  /** Commands whose files only they can bring back, with those. */
  readonly stale: Map<string, string[]>
  /** What an interrupted command may have made, or anybody else since, such as the image of a new kernel: it stays. */
  readonly doubtful: ReadonlyMap<string, string[]>
  /** By file, the commands that make it. */
  readonly makers: ReadonlyMap<string, string[]>
}

/** Newest first: a file is followed back through every step that made it, as long as it is what that step left behind. */
function restorePlan(ran: readonly Ran[], { tree, backups }: Ground): RestorePlan {
  const restore = new Map<string, FileMark | null>()
  const stale = new Map<string, string[]>()
  const doubtful = new Map<string, string[]>()
  const makers = new Map<string, string[]>()
  const abandoned = new Set<string>()
  for (const { step, before, made } of ran) {
    const { generated, startedMs } = before
    const was = new Map(generated.map((file) => [file.path, file]))
    const isNow = new Map(generatedFiles(tree, step.generates).map((file) => [file.path, file]))
    for (const path of new Set([...was.keys(), ...isNow.keys()])) {
      addTo(makers, path, commandText(step))
      if (abandoned.has(path)) continue
      const target = was.get(path)
      const current = restore.has(path) ? (restore.get(path)?.sha256 ?? null) : identityOf(isNow.get(path))
      if (current === identityOf(target)) continue
      if (made === undefined && target === undefined) {
        addTo(doubtful, commandText(step), path)
        continue
      }
      const left = made?.find((file) => file.path === path)
      const ours = made === undefined ? writtenMs(isNow.get(path)) < startedMs + longestRunMs : current === identityOf(left)
      const small =
        target === undefined ? left?.kind !== 'image' : target.kind === 'kept' && backups.get(target.file.sha256) !== undefined
      if (ours && small) restore.set(path, target?.kind === 'kept' ? target.file : null)
      else if (ours && target === undefined && left?.kind === 'image') restore.set(path, null)
      else {
        abandoned.add(path)
        restore.delete(path)
        addTo(stale, commandText(step), path)
      }
    }
  }
  return { restore, stale, doubtful, makers }
}

function addTo(lists: Map<string, string[]>, key: string, path: string): void {
  lists.set(key, [...(lists.get(key) ?? []), path])
}

async function putBack(path: string, file: FileMark | null, { tree, backups, atPoint }: Ground): Promise<void> {
  if (file === null) await tree.remove(path)
  else await restoreFile(tree, path, { mark: file, content: backups.get(file.sha256) ?? Buffer.alloc(0) })
  atPoint('a generated file was put back')
}

/** The command as a person would type it. */
export function commandText({ program, args }: Pick<RunCommandStep, 'program' | 'args'>): string {
  return [program, ...args].join(' ')
}

/** Small files are put back, newest first; what made images runs again, oldest first, and then what follows it. */
function scriptTogether(entries: readonly Entry[]): readonly string[] {
  const ran = ranOf(entries)
  const withImages = ran.toReversed().filter(makesImages)
  const again = new Map<string, Making>(withImages.map(({ step }) => [commandText(step), step]))
  for (const follower of followersOf(withImages)) {
    again.delete(commandText(follower))
    again.set(commandText(follower), follower)
  }
  const kept = ran.filter(({ step }) => !again.has(commandText(step))).flatMap(putBackLines)
  return [...kept, ...[...again.values()].map(({ program, args }) => `remake ${[program, ...args].map(shellQuoted).join(' ')}`)]
}

function putBackLines({ before: { generated }, made }: Ran): readonly string[] {
  const left = new Map((made ?? []).map((file) => [file.path, file]))
  const hashOf = (path: string): string => {
    const file = left.get(path)
    return file?.kind === 'kept' ? file.file.sha256 : '-'
  }
  const known = new Set(generated.map(({ path }) => path))
  return [
    ...generated.flatMap((file) =>
      file.kind === 'kept' ? [putBackLine(file.path, made === undefined ? 'any' : hashOf(file.path), file.file)] : [],
    ),
    ...[...left.keys()].filter((path) => !known.has(path)).map((path) => putBackLine(path, hashOf(path), null)),
  ]
}
