import { PlatformError } from '@backplane/sdk'
import { exliarErrors } from '../errors.ts'
import { errnoOf } from '../machine/errno-of.ts'
import type { MachineTree } from '../machine/machine-tree.ts'
import { runProgram } from '../machine/run-program.ts'
import { BackupStore } from './backup-store.ts'
import { DiskReserve } from './disk-reserve.ts'
import { lockOwner, takeLock, type ChangesLock } from './changes-lock.ts'
import type { Executors, Ground } from './executor.ts'
import { Journal } from './journal.ts'
import { changesIn, unfinishedRun } from './recorded-changes.ts'

/** Where everything is kept that is needed to take changes back. */
export const changesDirectory = '/var/lib/exliar-vfio'
const journalPath = `${changesDirectory}/journal.jsonl`
const backupsPath = `${changesDirectory}/backups`
/** A script that takes everything back without `exliar`. */
export const cleanupScriptPath = `${changesDirectory}/cleanup.sh`
/** Room for an undo. */
const reservePath = `${changesDirectory}/reserve`
const lockPath = `${changesDirectory}/lock`

/** What changes a machine works with. */
export interface ChangesOptions {
  readonly tree: MachineTree
  readonly executors: Executors
  /** How programs are run; default: those of the machine. */
  readonly run?: Ground['run']
  /** Told of every moment at which a kill would leave another state behind. */
  readonly atPoint?: (name: string) => void
}

/** Sole access to what was changed on a machine; disposed when done. */
export interface Changes extends AsyncDisposable {
  readonly ground: Ground
  readonly executors: Executors
  readonly journal: Journal
  /** Room for an undo; kept while anything is to be taken back. */
  readonly reserve: DiskReserve
  /** Makes sure that the journal and the room for an undo are there, before anything is changed. */
  readonly begin: () => Promise<void>
  /** When nothing is left to take back, nothing of this is left either. */
  readonly close: () => Promise<void>
}

/** Reads the journal without taking the lock: for looking. Errors: `JOURNAL_DAMAGED`. */
export function readJournal(tree: MachineTree): Journal {
  return Journal.read(tree, journalPath)
}

/** What is under way: nothing, a run that a process still does, or one that was interrupted in the middle. */
export type UnderWay = { readonly kind: 'nothing' | 'interrupted' } | { readonly kind: 'running'; readonly pid: number }

/** Looks who is at it, without taking the lock. Errors: `JOURNAL_DAMAGED`. */
export function underWay(tree: MachineTree): UnderWay {
  // In this order: who ends between the two looks has ended its run as well.
  const pid = lockOwner(tree.hostPath(lockPath))
  if (pid !== undefined) return { kind: 'running', pid }
  return { kind: unfinishedRun(readJournal(tree).records) === undefined ? 'nothing' : 'interrupted' }
}

/** Takes the lock and reads the journal. Errors: `CHANGES_BUSY`, `JOURNAL_DAMAGED`, `TREE_UNWRITABLE`. */
export async function openChanges(options: ChangesOptions): Promise<Changes> {
  const { tree, executors, atPoint = () => undefined } = options
  const made = await makeDirectories(tree)
  atPoint('the directory was made')
  const reserve = new DiskReserve(tree, reservePath)
  let lock: ChangesLock
  try {
    lock = await takeLockWithRoom(tree, { made, reserve })
  } catch (error) {
    await removeDirectories(tree, made)
    if (error instanceof PlatformError) throw error
    throw exliarErrors.error('TREE_UNWRITABLE', { path: lockPath, reason: errnoOf(error) }, { cause: error })
  }
  let isReleased = false
  const release = async (): Promise<void> => {
    // Somebody else may have it by the second time.
    if (isReleased) return
    isReleased = true
    lock[Symbol.dispose]()
    await removeDirectories(tree, directories)
  }
  const directories = [...new Set([...lock.inherited, ...made])]
  try {
    atPoint('the lock was taken')
    for (const name of tree.names(changesDirectory))
      if (name.startsWith('lock.')) await tree.remove(`${changesDirectory}/${name}`)
    const run = options.run ?? ((program, args) => runProgram(tree, { program, args }))
    const ground = { tree, backups: new BackupStore(tree, backupsPath), run, atPoint }
    const journal = Journal.read(tree, journalPath)
    const [opened] = journal.records
    if (opened?.type === 'opened') directories.unshift(...opened.made.filter((directory) => !directories.includes(directory)))
    const begin = async (): Promise<void> => {
      await reserve.keep()
      atPoint('room was reserved')
      if (opened === undefined) journal.append({ type: 'opened', version: 1, made: directories })
    }
    const close = async (): Promise<void> => {
      if (changesIn(journal).some(({ state }) => state !== 'undone')) return
      lock.remember(directories)
      await clear(ground, reserve)
    }
    return { ground, executors, journal, reserve, begin, close, [Symbol.asyncDispose]: release }
  } catch (error) {
    await release()
    throw error
  }
}

/** On a full disk there is room for the lock where an undo has it: nobody who lives holds the lock then. */
async function takeLockWithRoom(
  tree: MachineTree,
  { made, reserve }: { made: readonly string[]; reserve: DiskReserve },
): Promise<ChangesLock> {
  const path = tree.hostPath(lockPath)
  try {
    return takeLock(path, made)
  } catch (error) {
    if (errnoOf(error) !== 'ENOSPC') throw error
    await reserve.release()
    return takeLock(path, made)
  }
}

/** In this order a kill leaves a state from which the next one goes on. */
async function clear({ tree, backups, atPoint }: Ground, reserve: DiskReserve): Promise<void> {
  await reserve.release()
  atPoint('the room was given up')
  await backups.clear()
  atPoint('the backups were removed')
  await tree.removeUnfinished(cleanupScriptPath)
  await tree.remove(cleanupScriptPath)
  atPoint('the script was removed')
  await tree.remove(journalPath)
  atPoint('the journal was removed')
}

async function makeDirectories(tree: MachineTree): Promise<readonly string[]> {
  const made: string[] = []
  for (const directory of ['/var', '/var/lib', changesDirectory]) {
    if (await tree.makeDirectory(directory)) made.push(directory)
  }
  return made
}

/** Those that were made for the journal go with it, but not while somebody else has put something into them. */
async function removeDirectories(tree: MachineTree, made: readonly string[]): Promise<void> {
  for (const directory of [changesDirectory, ...made.toReversed()]) if (tree.has(directory)) await tree.removeDirectory(directory)
}
