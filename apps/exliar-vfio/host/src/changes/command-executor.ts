import { statSync } from 'node:fs'
import { z } from 'zod'
import { exliarErrors } from '../errors.ts'
import type { MachineTree } from '../machine/machine-tree.ts'
import type { Entry, Ground, LastExecutor, Performed, Undone } from './executor.ts'
import { FileMark, markOf, restoreFile } from './file-marks.ts'
import { putBackLine, shellQuoted } from './shell-lines.ts'
import type { RunCommandStep } from './step.ts'

/** Larger files are made anew by the program that made them. */
const keptBytes = 1024 * 1024
/** A file written later than this after an interrupted program began is not that program's: it is ended before. */
const longestRunMs = 15 * 60_000

/** A generated file: kept whole, or too large for that and only known by size and time. */
const Generated = z.discriminatedUnion('kind', [
  z.object({ kind: z.literal('kept'), path: z.string(), file: FileMark }),
  z.object({ kind: z.literal('image'), path: z.string(), sizeBytes: z.int(), modifiedMs: z.number() }),
])
type Generated = z.output<typeof Generated>

const Before = z.object({ generated: z.array(Generated).readonly(), startedMs: z.number() })
const After = z.object({ generated: z.array(Generated).readonly(), leftOut: z.string().nullable() })

/** Runs programs that make files from configuration; they are taken back when that configuration is. */
export const commandExecutor: LastExecutor = { look, perform, standing, undoTogether, script }

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
  const now = step.kind === 'run-command' ? JSON.stringify(generatedFiles(tree, step.generates).map(identity)) : ''
  if (now === JSON.stringify(Before.parse(before).generated.map(identity))) return 'before'
  const done = After.safeParse(after)
  return done.success && now === JSON.stringify(done.data.generated.map(identity)) ? 'after' : 'other'
}

/**
 * Configuration is as it was by now. A small file that nobody else changed is put back to the byte; for images, and for
 * files that somebody made anew since, the program runs again, once however often it was run.
 */
async function undoTogether(entries: readonly Entry[], ground: Ground): Promise<ReadonlyMap<number, Undone>> {
  const ran = entries.filter(
    ({ after }) => After.safeParse(after).data?.leftOut === undefined || After.parse(after).leftOut === null,
  )
  const plan = restorePlan(ran, ground)
  const notes = new Map<string, readonly string[]>()
  const failures = new Map<string, string>()
  for (const { step } of ran.toReversed()) {
    if (step.kind !== 'run-command') continue
    const command = commandText(step)
    if (notes.has(command) || failures.has(command) || !plan.stale.has(command)) continue
    const end = await ground.run(step.program, step.args)
    ground.atPoint('a program was run again')
    if (end.kind === 'done') notes.set(command, [`Made anew by ${command}: ${plan.stale.get(command)?.join(', ') ?? ''}.`])
    else failures.set(command, `${command} must be run by hand: ${end.reason}`)
  }
  for (const [command, paths] of plan.doubtful) {
    const doubt = `${paths.join(', ')} was not there before ${command} was interrupted: remove it unless somebody else made it.`
    notes.set(command, [...(notes.get(command) ?? []), doubt])
  }
  for (const [path, file] of plan.restore) await putBack(path, file, ground)
  const results = new Map<number, Undone>()
  for (const { change, step } of entries) {
    const command = step.kind === 'run-command' ? commandText(step) : ''
    const failure = failures.get(command)
    results.set(
      change,
      failure === undefined ? { kind: 'undone', notes: notes.get(command) ?? [] } : { kind: 'kept', reason: failure },
    )
    notes.set(command, [])
  }
  return results
}

interface RestorePlan {
  /** Small files and what they become; null: they were not there. */
  readonly restore: ReadonlyMap<string, FileMark | null>
  /** Commands whose files only they can bring back, with those. */
  readonly stale: ReadonlyMap<string, string[]>
  /** What an interrupted command may have made, or anybody else since, such as the image of a new kernel: it stays. */
  readonly doubtful: ReadonlyMap<string, string[]>
}

/** Newest first: a file is followed back through every step that made it, as long as it is what that step left behind. */
function restorePlan(entries: readonly Entry[], { tree, backups }: Ground): RestorePlan {
  const restore = new Map<string, FileMark | null>()
  const stale = new Map<string, string[]>()
  const doubtful = new Map<string, string[]>()
  const abandoned = new Set<string>()
  for (const { step, before, after } of entries) {
    if (step.kind !== 'run-command') continue
    const { generated, startedMs } = Before.parse(before)
    const was = new Map(generated.map((file) => [file.path, file]))
    const made = After.safeParse(after).data?.generated
    const isNow = new Map(generatedFiles(tree, step.generates).map((file) => [file.path, file]))
    for (const path of new Set([...was.keys(), ...isNow.keys()])) {
      if (abandoned.has(path)) continue
      const target = was.get(path)
      const current = restore.has(path) ? (restore.get(path)?.sha256 ?? null) : identityOrNull(isNow.get(path))
      if (current === identityOrNull(target)) continue
      if (made === undefined && target === undefined) {
        addTo(doubtful, commandText(step), path)
        continue
      }
      const left = made?.find((file) => file.path === path)
      const ours = made === undefined ? writtenMs(isNow.get(path)) < startedMs + longestRunMs : current === identityOrNull(left)
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
  return { restore, stale, doubtful }
}

function addTo(lists: Map<string, string[]>, key: string, path: string): void {
  lists.set(key, [...(lists.get(key) ?? []), path])
}

async function putBack(path: string, file: FileMark | null, { tree, backups, atPoint }: Ground): Promise<void> {
  if (file === null) await tree.remove(path)
  else await restoreFile(tree, path, { mark: file, content: backups.get(file.sha256) ?? Buffer.alloc(0) })
  atPoint('a generated file was put back')
}

function identity(file: Generated): string {
  return file.kind === 'kept' ? file.file.sha256 : `${file.sizeBytes} ${file.modifiedMs}`
}

function writtenMs(file: Generated | undefined): number {
  if (file === undefined) return Number.NEGATIVE_INFINITY
  return file.kind === 'kept' ? file.file.modifiedMs : file.modifiedMs
}

function identityOrNull(file: Generated | undefined): string | null {
  return file === undefined ? null : identity(file)
}

/** The command as a person would type it. */
export function commandText({ program, args }: Pick<RunCommandStep, 'program' | 'args'>): string {
  return [program, ...args].join(' ')
}

function generatedFiles(tree: MachineTree, patterns: readonly string[]): readonly Generated[] {
  const paths = [...new Set(patterns.flatMap((pattern) => matching(tree, pattern)))].sort()
  return paths.flatMap((path): readonly Generated[] => {
    const stat = tree.stat(path)
    if (stat?.kind !== 'file') return []
    if (stat.sizeBytes > keptBytes) {
      return [{ kind: 'image', path, sizeBytes: stat.sizeBytes, modifiedMs: statSync(tree.hostPath(path)).mtimeMs }]
    }
    const file = markOf(tree, path)
    return file === undefined ? [] : [{ kind: 'kept', path, file }]
  })
}

/** Paths that fit a pattern; `*` stands for any characters but `/`. */
function matching(tree: MachineTree, pattern: string): readonly string[] {
  const [, ...names] = pattern.split('/')
  let found: readonly string[] = ['']
  for (const name of names) {
    if (!name.includes('*')) {
      found = found.map((path) => `${path}/${name}`)
      continue
    }
    const wanted = new RegExp(`^${name.replaceAll(/[.+?^${}()|[\]\\]/g, '\\$&').replaceAll('*', '[^/]*')}$`)
    found = found.flatMap((path) =>
      tree
        .names(path === '' ? '/' : path)
        .filter((entry) => wanted.test(entry))
        .map((entry) => `${path}/${entry}`),
    )
  }
  return found.filter((path) => tree.has(path))
}

/** Small files are put back; where there are images, the program is run again. */
function script({ step, before, after }: Entry): readonly string[] {
  if (step.kind !== 'run-command') return []
  const was = Before.parse(before).generated
  const done = After.safeParse(after).data
  if (done !== undefined && done.leftOut !== null) return []
  const made = new Map((done?.generated ?? []).map((file) => [file.path, file]))
  const kept = was.flatMap((file) => {
    const left = made.get(file.path)
    const hash = done === undefined ? 'any' : left?.kind === 'kept' ? left.file.sha256 : '-'
    return file.kind === 'kept' ? [putBackLine(file.path, hash, file.file)] : []
  })
  const known = new Set(was.map(({ path }) => path))
  for (const [path, left] of made) {
    if (!known.has(path) && left.kind === 'kept') kept.push(putBackLine(path, left.file.sha256, null))
  }
  const isImage = [...was, ...made.values()].some(({ kind }) => kind === 'image')
  return isImage ? [...kept, `remake ${[step.program, ...step.args].map(shellQuoted).join(' ')}`] : kept
}
