import { mkdir, readdir, readFile, rename, rm, writeFile } from 'node:fs/promises'
import { z } from 'zod'
import { apply } from '../changes/apply.ts'
import type { Changes } from '../changes/open-changes.ts'
import { takeBack } from '../changes/undo.ts'
import { exliarErrors } from '../errors.ts'
import type { StartOptions } from './start-machine.ts'
import { readVmConfig } from './vm-config.ts'
import { watchPlaces } from './watch-state.ts'
import { readXml } from './xml-document.ts'

/**
 * Which run of the journal is to be taken back once a machine has ended; numbers begin anew when everything was taken back,
 * so the moment says whether it is still that one.
 */
const Pending = z.object({ name: z.string(), run: z.int().positive(), begun: z.string() })

/** What defining through the journal needs. */
export interface ThroughJournalOptions {
  readonly openChanges: () => Promise<Changes>
  /** `run/exliar-vfio` of the tree, as a path on this machine. */
  readonly directory: string
}

/**
 * Defines machines through the journal, and takes that back. Until then a file beside those of the watch says which run it
 * was; when the whole machine goes down meanwhile, only the journal knows, and `rollback` or `cleanup` takes it back.
 * Errors: those of `apply`; `VM_CHANGED_MEANWHILE` when somebody else changed the machine, which is then kept.
 */
export function throughJournal({ openChanges, directory }: ThroughJournalOptions): Pick<StartOptions, 'define' | 'withdraw'> {
  return {
    define: async (step, persist) => {
      await using changes = await openChanges()
      const applied = await apply(changes, { title: step.summary, stages: [{ subject: step, steps: [step] }] })
      if (applied.kind === 'rolled-back') throw applied.error
      const { uuid } = readVmConfig(readXml(step.was), () => undefined)
      const { run } = applied
      if (persist === 'restore') await remember(directory, uuid, { name: step.domain, run, begun: begunAt(changes, run) ?? '' })
    },
    withdraw: async (uuid) => {
      const pending = await recall(directory, uuid)
      if (pending === undefined) return
      await using changes = await openChanges()
      const isThat = begunAt(changes, pending.run) === pending.begun
      const { changes: undone } = isThat ? await takeBack(changes, pending.run) : { changes: [] }
      // Whatever was kept stays in the journal, and is tried again with everything else.
      await rm(pendingPath(directory, uuid), { force: true })
      for (const { end } of undone) {
        if (end.kind === 'kept') throw exliarErrors.error('VM_CHANGED_MEANWHILE', { name: pending.name, what: end.reason })
      }
    },
  }
}

/** RFC 3339; undefined: there is no such run. */
function begunAt({ journal }: Changes, run: number): string | undefined {
  return journal.records.find((record) => record.type === 'begun' && record.run === run)?.at
}

/** Ids of machines whose configuration is to come back once they have ended: after a run that nobody watched too. */
export async function pendingWithdrawals(directory: string): Promise<string[]> {
  const names = await readdir(directory).catch(() => [])
  return names.filter((name) => name.endsWith(suffix)).map((name) => name.slice(0, -suffix.length))
}

const suffix = '.withdraw.json'

function pendingPath(directory: string, uuid: string): string {
  return watchPlaces(directory, uuid).state.replace(/\.json$/, suffix)
}

async function remember(directory: string, uuid: string, pending: z.output<typeof Pending>): Promise<void> {
  const path = pendingPath(directory, uuid)
  await mkdir(directory, { recursive: true, mode: 0o700 })
  await rm(`${path}.new`, { force: true })
  await writeFile(`${path}.new`, JSON.stringify(pending), { mode: 0o600, flag: 'wx' })
  await rename(`${path}.new`, path)
}

async function recall(directory: string, uuid: string): Promise<z.output<typeof Pending> | undefined> {
  try {
    return Pending.safeParse(JSON.parse(await readFile(pendingPath(directory, uuid), 'utf8'))).data
  } catch {
    return undefined
  }
}
