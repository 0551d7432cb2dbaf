import { dirname } from 'node:path'
import { z } from 'zod'
import { PlatformError } from '@backplane/sdk'
import { exliarErrors } from '../errors.ts'
import type { FileMarks } from '../machine/write-file.ts'
import { sha256 } from './backup-store.ts'
import type { Entry, Executor, Ground, Undone } from './executor.ts'
import { FileMark, markOf, restoreFile, restoreTime } from './file-marks.ts'
import type { WriteFileStep } from './step.ts'
import { putBackLine, shellQuoted } from './shell-lines.ts'
import { textDiff } from './text-diff.ts'

const Before = z.object({
  /** Where the path led, free of links. */
  path: z.string(),
  /** Null: nothing was there. */
  file: FileMark.nullable(),
  /** Directories that were missing, outermost first. */
  missing: z.array(z.string()),
})

/** Writes files; takes them back to the byte, and leaves alone what somebody else changed since. */
export const fileExecutor: Executor<WriteFileStep> = { look, perform, standing, undo, script }

async function look({ path, expects }: WriteFileStep, { tree, backups }: Ground): Promise<unknown> {
  const real = realPathOf(tree, path)
  const file = markOf(tree, real) ?? null
  if (expects !== undefined && expects !== (file?.sha256 ?? null)) throw exliarErrors.error('PLAN_STALE', { paths: path })
  if (file !== null) await backups.keep(tree.readBytes(real) ?? Buffer.alloc(0))
  const missing: string[] = []
  for (let at = dirname(real); at !== '/' && !tree.has(at); at = dirname(at)) missing.unshift(at)
  return { path: real, file, missing } satisfies z.output<typeof Before>
}

/** A new file is where the links above it lead. */
function realPathOf(tree: Ground['tree'], path: string): string {
  const onHost = tree.hostPath(path)
  return tree.isThisMachine ? onHost : onHost.slice(tree.root.length)
}

async function perform(
  step: WriteFileStep,
  given: unknown,
  { tree, atPoint }: Ground,
): Promise<{ after: unknown; notes: string[] }> {
  const { path, missing, file } = Before.parse(given)
  for (const directory of missing) {
    await tree.makeDirectory(directory)
    atPoint('a directory was made')
  }
  const owner = tree.stat(dirname(path))
  const marks = file ?? { mode: step.mode ?? 0o644, uid: owner?.uid ?? 0, gid: owner?.gid ?? 0 }
  await tree.write(path, step.content, { mode: marks.mode, uid: marks.uid, gid: marks.gid })
  atPoint('a file was written')
  return { after: null, notes: [] }
}

function standing({ step, before }: Entry, { tree }: Ground): 'before' | 'after' | 'other' {
  const { path, file } = Before.parse(before)
  const now = markOf(tree, path)?.sha256
  if (now === file?.sha256) return 'before'
  return step.kind === 'write-file' && now === step.sha256 ? 'after' : 'other'
}

async function undo(entry: Entry, ground: Ground): Promise<Undone> {
  const { tree, backups, atPoint } = ground
  const { path, file, missing } = Before.parse(entry.before)
  const parent = dirname(path)
  if (tree.has(parent)) await tree.removeUnfinished(path)
  const content = file === null ? undefined : backups.get(file.sha256)
  const stands = standing(entry, ground)
  if (file !== null && content === undefined && stands !== 'before') return kept(`the backup of ${path} is missing`)
  if (stands === 'other') return keptByOthers(path, { tree, content })
  const theirs = file === null || stands === 'before' ? undefined : marksOfOthers(tree, path, file)
  try {
    if (file === null) await tree.remove(path)
    else if (stands === 'before') await restoreTime(tree, path, file)
    else if (content !== undefined) await restoreFile(tree, path, { mark: { ...file, ...theirs }, content })
    atPoint('a file was put back')
    for (const directory of missing.toReversed()) if (tree.has(directory)) await tree.removeDirectory(directory)
  } catch (error) {
    if (!(error instanceof PlatformError)) throw error
    return kept(error.message)
  }
  const now = markOf(tree, path)
  if (now?.sha256 !== file?.sha256) return kept(`${path} is not what it was after it was put back`)
  const notes = theirs === undefined ? [] : [`${path} keeps the owner and the permissions that somebody else gave it since`]
  return { kind: 'undone', notes }
}

/** It was written with the marks it had; others are somebody else's wish. */
function marksOfOthers(tree: Ground['tree'], path: string, { mode, uid, gid }: FileMark): FileMarks | undefined {
  const now = tree.stat(path)
  if (now === undefined || (now.mode === mode && now.uid === uid && now.gid === gid)) return undefined
  return { mode: now.mode, uid: now.uid, gid: now.gid }
}

function kept(reason: string): Undone {
  return { kind: 'kept', reason }
}

interface Others {
  readonly tree: Ground['tree']
  readonly content: Buffer | undefined
}

/** Somebody else's work is not thrown away; the difference says what to take back by hand. */
function keptByOthers(path: string, { tree, content }: Others): Undone {
  const now = tree.readBytes(path)
  const reason = now === undefined ? `${path} was removed by somebody else` : `${path} was changed by somebody else`
  return { kind: 'kept', reason, diff: textDiff(path, content, now) }
}

/** What a content is known by in the journal. */
export function contentHash({ content }: WriteFileStep): string {
  return sha256(content)
}

function script({ step, before }: Entry): readonly string[] {
  const { path, file, missing } = Before.parse(before)
  if (step.kind !== 'write-file') return []
  return [
    putBackLine(path, step.sha256, file),
    ...missing.toReversed().map((directory) => `drop_directory ${shellQuoted(directory)}`),
  ]
}
