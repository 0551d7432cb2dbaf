import { linkSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { isRunning, processMark } from '@backplane/storage'
import { z } from 'zod'
import { exliarErrors } from '../errors.ts'
import { errnoOf } from '../machine/errno-of.ts'

const Owner = z.object({ pid: z.int(), startedAt: z.string(), boot: z.string(), made: z.array(z.string()) })
type Owner = z.output<typeof Owner>

/** Who may change a machine: one process at a time. */
export interface ChangesLock extends Disposable {
  /** Directories that a holder that died had made for the journal. */
  readonly inherited: readonly string[]
  /** Leaves more of them to whoever comes after a kill. */
  readonly remember: (made: readonly string[]) => void
}

/**
 * Takes the lock, or says who has it. A process is known by its number and the moment it started, so that neither a number
 * used again nor a dead process holds anything. `made` is remembered for whoever comes after a kill. Errors: `CHANGES_BUSY`.
 */
export function takeLock(hostPath: string, made: readonly string[]): ChangesLock {
  const own = `${hostPath}.${process.pid}`
  let inherited: readonly string[] = []
  try {
    for (;;) {
      const stale = readOwner(hostPath)
      if (stale !== undefined && isAlive(stale)) throw busy(stale.pid)
      if (stale !== undefined) {
        inherited = stale.made
        // Renaming succeeds for one only.
        renameQuietly(hostPath, `${own}.stale`)
      }
      const all = [...new Set([...inherited, ...made])]
      writeOwner(own, all)
      try {
        linkSync(own, hostPath)
        break
      } catch (error) {
        // Somebody has it by now, or has cleared away what waited for it.
        if (!['EEXIST', 'ENOENT'].includes(errnoOf(error))) throw error
      }
    }
  } finally {
    rmSync(own, { force: true })
    rmSync(`${own}.stale`, { force: true })
  }
  const remember = (all: readonly string[]): void => {
    writeOwner(own, all)
    renameSync(own, hostPath)
  }
  return { inherited, remember, [Symbol.dispose]: () => rmSync(hostPath, { force: true }) }
}

/** The process that changes a machine at this moment; undefined: none does. */
export function lockOwner(hostPath: string): number | undefined {
  const owner = readOwner(hostPath)
  return owner !== undefined && isAlive(owner) ? owner.pid : undefined
}

function busy(pid: number): Error {
  return exliarErrors.error('CHANGES_BUSY', { pid }, { details: { pid } })
}

/** Always a file of its own: a link that somebody put there would lead out of the tree. */
function writeOwner(path: string, made: readonly string[]): void {
  rmSync(path, { force: true })
  const [pid, startedAt, boot] = processMark()?.split(' ') ?? [process.pid]
  writeFileSync(path, JSON.stringify({ pid: Number(pid), startedAt, boot, made }), { mode: 0o600, flag: 'wx' })
}

/** Undefined: nobody, or what is there was not written whole. */
function readOwner(path: string): Owner | undefined {
  try {
    return Owner.parse(JSON.parse(readFileSync(path, 'utf8')))
  } catch {
    return undefined
  }
}

/** Also not while nobody has asked yet how a killed one ended. */
function isAlive({ pid, startedAt, boot }: Owner): boolean {
  return isRunning(`${pid} ${startedAt} ${boot}`)
}

function renameQuietly(from: string, to: string): void {
  try {
    renameSync(from, to)
  } catch {
    // Another one was faster.
  }
}
