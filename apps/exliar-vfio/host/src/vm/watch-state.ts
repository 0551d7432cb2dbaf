import { chmod, mkdir, open, readFile, rename, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { VmConfig } from '@exliar-vfio/points'
import { z } from 'zod'
import { exliarErrors } from '../errors.ts'

/** What is remembered of one machine from `prepare begin` to `release end`, so that a run can be told even if its watch died. */
export const WatchState = z.object({
  /** RFC 3339: when the start began, and when the machine ran; null where that was not seen. */
  prepared_at: z.string().nullable(),
  started_at: z.string().nullable(),
  /** The start was refused by us; its end is nobody's. */
  refused: z.boolean(),
  /** The watch's process, and when it started in the kernel's own ticks: a number alone is used again. Null: none. */
  process: z.object({ pid: z.int().positive(), started: z.string() }).nullable(),
  config: VmConfig,
})
export type WatchState = z.output<typeof WatchState>

/** Files of one machine's watch. The directory is its user's alone. */
export interface WatchPlaces {
  readonly directory: string
  readonly state: string
  readonly socket: string
  readonly log: string
}

/** Where a machine's watch has its files; `directory` is `run/exliar-vfio` of the tree. Errors: `VM_HOOK_CALL_INVALID`. */
export function watchPlaces(directory: string, uuid: string): WatchPlaces {
  if (!/^[\da-f]{8}(?:-[\da-f]{4}){3}-[\da-f]{12}$/.test(uuid)) {
    throw exliarErrors.error('VM_HOOK_CALL_INVALID', { reason: `${JSON.stringify(uuid.slice(0, 80))} is no id of a machine` })
  }
  const of = (suffix: string): string => join(directory, `${uuid}.${suffix}`)
  return { directory, state: of('json'), socket: of('sock'), log: of('log') }
}

/** What is remembered; undefined when nothing is, or what is there is not ours to understand. */
export async function readWatchState({ state }: WatchPlaces): Promise<WatchState | undefined> {
  try {
    return WatchState.safeParse(JSON.parse(await readFile(state, 'utf8'))).data
  } catch {
    return undefined
  }
}

/** Remembers, whole or not at all. */
export async function writeWatchState({ directory, state }: WatchPlaces, content: WatchState): Promise<void> {
  await mkdir(directory, { recursive: true, mode: 0o700 })
  await chmod(directory, 0o700)
  const unfinished = `${state}.new`
  await rm(unfinished, { force: true })
  const file = await open(unfinished, 'wx', 0o600)
  try {
    await file.writeFile(JSON.stringify(content))
  } finally {
    await file.close()
  }
  await rename(unfinished, state)
}
