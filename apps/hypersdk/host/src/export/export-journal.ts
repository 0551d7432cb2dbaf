import { open, readFile, rename } from 'node:fs/promises'
import { join } from 'node:path'
import { z } from 'zod'
import type { ExportTarget } from './export-target.ts'

/** How much of one disk is safely on the volume, under its partial name. */
const JournalDisk = z.strictObject({
  disk: z.string(),
  /** Final name of its file. */
  name: z.string(),
  /** What its provider called the content. */
  etag: z.string(),
  size_bytes: z.number().int().nonnegative().nullable(),
  /** So many bytes from the beginning are there: all of it, or a multiple of the block size. */
  offset_bytes: z.number().int().nonnegative(),
  /** SHA-256 of these bytes, 64 hexadecimal digits. */
  sha256: z.string().regex(/^[0-9a-f]{64}$/),
})
export type JournalDisk = z.output<typeof JournalDisk>

/** Names of more disks than this are not taken from a journal. */
const mostDisks = 64

const Journal = z.strictObject({ version: z.literal(1), vm_id: z.string(), format: z.string(), disks: z.array(JournalDisk) })

/**
 * What an export writes down while it runs, so that one that is cut off goes on where it was. It says less than there is,
 * never more: an entry is written once its bytes are.
 */
export class ExportJournal {
  readonly #target: ExportTarget
  readonly #vmId: string
  readonly #disks: Map<string, JournalDisk>
  #writing: Promise<void> = Promise.resolve()

  constructor(target: ExportTarget, vmId: string, known: readonly JournalDisk[]) {
    this.#target = target
    this.#vmId = vmId
    this.#disks = new Map(known.map((one) => [one.disk, one]))
  }

  /** Names of the files that it speaks of, its own included; empty when it speaks of none. */
  get files(): ReadonlySet<string> {
    if (this.#disks.size === 0) return new Set()
    const { partial, journal } = this.#target.names
    return new Set([journal, ...[...this.#disks.values()].map(({ name }) => name)].map(partial))
  }

  get disks(): readonly JournalDisk[] {
    return [...this.#disks.values()]
  }

  /** What is there of a disk. */
  find(disk: string): JournalDisk | undefined {
    return this.#disks.get(disk)
  }

  /** Durable when it settles. Errors: what the file system says. */
  async note(entry: JournalDisk): Promise<void> {
    this.#disks.set(entry.disk, entry)
    await this.#write()
  }

  /** Nothing of a disk is there any more. Errors: what the file system says. */
  async forget(disk: string): Promise<void> {
    if (this.#disks.delete(disk)) await this.#write()
  }

  get #path(): string {
    const { directory, names } = this.#target
    return join(directory, names.partial(names.journal))
  }

  #write(): Promise<void> {
    const write = this.#writing.catch(() => {}).then(() => this.#replace())
    this.#writing = write
    return write
  }

  async #replace(): Promise<void> {
    const { directory, format, names } = this.#target
    const next = join(directory, names.partial(`${names.journal}.next`))
    const journal: z.output<typeof Journal> = { version: 1, vm_id: this.#vmId, format, disks: [...this.#disks.values()] }
    {
      await using file = await open(next, 'w', 0o600)
      await file.writeFile(JSON.stringify(journal))
      await file.sync()
    }
    await rename(next, this.#path)
    await using handle = await open(directory)
    await handle.sync()
  }
}

/** What an earlier attempt at the same export of the same machine wrote down; empty when there is none, or none to trust. */
export async function readJournal(target: ExportTarget, vmId: string): Promise<ExportJournal> {
  const path = join(target.directory, target.names.partial(target.names.journal))
  const text = await readFile(path, 'utf8').catch(() => '')
  const known = Journal.safeParse(parsed(text)).data
  const isSame = known !== undefined && known.vm_id === vmId && known.format === target.format && target.gzipLevel === undefined
  const own = new Set(Array.from({ length: mostDisks }, (_, index) => target.names.disk(index + 1)))
  return new ExportJournal(target, vmId, isSame ? known.disks.filter(({ name }) => own.has(name)) : [])
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}
