import { unlink } from 'node:fs/promises'
import { join } from 'node:path'
import { releaseBytes } from '@backplane/runtimes'
import type { ExportItem } from '@hypersdk/points'
import type { BlockPool } from './block-pool.ts'
import { DiskFile, type DiskFileOptions } from './disk-file.ts'
import { exportErrors } from './errors.ts'
import type { ExportLimits, ExportLogLine } from './export-input.ts'
import type { ExportJournal } from './export-journal.ts'
import { refuseExisting, type ExportTarget } from './export-target.ts'
import type { Hasher } from './hasher.ts'
import { inspectHead } from './inspect-head.ts'
import type { ProgressMeter } from './progress-meter.ts'
import type { Checkpoints, WrittenFile } from './sparse-file.ts'
import type { StagingDirectory } from './staging-directory.ts'
import { StreamRules, type DeclaredDisk, type ItemOf } from './stream-rules.ts'

const warningsKept = 200
const textKept = 2_000
const descriptionBytes = 1_048_576

/** One disk as it was written, still under its partial name. */
export interface ReceivedDisk extends WrittenFile {
  readonly disk: DeclaredDisk
  /** Its final name, without directory. */
  readonly name: string
}

/** What a plugin's stream came to. */
export interface ReceivedExport {
  /** At least one, in the order they were declared. */
  readonly disks: readonly ReceivedDisk[]
  /** What the plugin said of the machine; later items over earlier ones. */
  readonly vm: Partial<Omit<ItemOf<'vm'>, 'kind'>>
  readonly warnings: readonly { readonly stage: string; readonly message: string; readonly timestamp: string }[]
  /** Whether any disk came through the staging directory. */
  readonly staged: boolean
}

/** What a {@link DiskReceiver} works with; all owned by its caller. */
export interface DiskReceiverOptions {
  readonly target: ExportTarget
  readonly limits: ExportLimits
  readonly pool: BlockPool
  readonly hasher: Hasher
  readonly staging: StagingDirectory
  readonly meter: ProgressMeter
  readonly signal: AbortSignal
  /** What an earlier attempt wrote, and where this one notes the same. */
  readonly journal: ExportJournal
  readonly log: (line: ExportLogLine) => void
}

/** Turns the items of one export into files. Disposing closes the file being written; files stay for whoever made the target. */
export class DiskReceiver implements AsyncDisposable {
  readonly #options: DiskReceiverOptions
  readonly #rules: StreamRules
  readonly #written = new Map<string, ReceivedDisk>()
  readonly #warnings: ReceivedExport['warnings'][number][] = []
  #vm: ReceivedExport['vm'] = {}
  #staged = false
  #open: { readonly disk: DeclaredDisk; readonly name: string; readonly file: DiskFile } | undefined

  constructor(options: DiskReceiverOptions) {
    this.#options = options
    this.#rules = new StreamRules(options.target.format, options.limits)
  }

  /** Errors: those of `StreamRules`, `inspectHead`, `StagingDirectory.open`, `SparseFile`; `EXPORT_TARGET_EXISTS`. */
  async take(item: ExportItem): Promise<void> {
    switch (item.kind) {
      case 'disk':
        return this.#declare(item)
      case 'bytes':
      case 'hole':
        return this.#piece(item)
      case 'file':
        return this.#ingest(item)
      case 'vm':
        return this.#describe(item)
      case 'warning':
        return this.#warn(item)
    }
  }

  /** The stream is over. Errors: `EXPORT_NO_DISKS`, `EXPORT_INCOMPLETE`. */
  async end(vmName: string): Promise<ReceivedExport> {
    await this.#finishOpen()
    if (this.#rules.disks.length === 0) throw exportErrors.error('EXPORT_NO_DISKS', { vm: vmName })
    for (const disk of this.#rules.disks) if (disk.stage === 'declared') await this.#finishEmpty(disk)
    const disks = this.#rules.disks.flatMap(({ id }) => this.#written.get(id) ?? [])
    return { disks, vm: this.#vm, warnings: this.#warnings, staged: this.#staged }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#open?.file[Symbol.asyncDispose]()
    this.#open = undefined
  }

  async #declare(item: ItemOf<'disk'>): Promise<void> {
    const disk = this.#rules.declare(item)
    const name = this.#options.target.names.disk(disk.number)
    await refuseExisting(this.#options.target, name)
    await this.#settleBegin(disk, name)
    this.#options.meter.declared(disk.number, item.size_bytes)
  }

  /** Whether a disk goes on where an earlier attempt was, which is the provider's to say, or begins anew. */
  async #settleBegin({ id, declared, received }: DeclaredDisk, name: string): Promise<void> {
    const { journal, target, log } = this.#options
    const there = journal.find(id)
    if (there === undefined && received === 0) return
    const isSame = there?.etag === declared.etag && there?.size_bytes === declared.size_bytes && there.name === name
    if (received > 0) {
      if (!isSame || there.offset_bytes !== received) {
        throw exportErrors.error('EXPORT_OUT_OF_ORDER', { disk: id, offset: received, expected: 0 })
      }
      log({ level: 'info', message: `going on with ${name}`, fields: { disk: id, offset_bytes: received } })
      return
    }
    const reason = isSame ? 'the provider does not go on' : 'the disk at the provider has changed'
    log({ level: 'warn', message: `beginning ${name} anew: ${reason}`, fields: { disk: id } })
    await journal.forget(id)
    await unlink(join(target.directory, target.names.partial(there?.name ?? name))).catch(() => {})
  }

  async #piece(item: ItemOf<'bytes'> | ItemOf<'hole'>): Promise<void> {
    const disk = this.#rules.piece(item)
    const file = await this.#fileOf(disk)
    if (item.kind === 'hole') {
      await file.input.zeros(item.length)
    } else {
      await file.input.append(item.bytes)
      releaseBytes(item.bytes)
    }
    if (disk.received === disk.declared.size_bytes) await this.#finishOpen()
  }

  /** The bytes are copied, never the file moved: whoever made it may still hold it open. */
  async #ingest(item: ItemOf<'file'>): Promise<void> {
    const disk = this.#rules.file(item)
    await using staged = await this.#options.staging.open(disk.id, item.path)
    this.#rules.fileSize(disk, staged.bytes)
    this.#options.meter.declared(disk.number, staged.bytes)
    const { input } = await this.#fileOf(disk)
    for (let at = 0; at < staged.bytes;) {
      this.#options.signal.throwIfAborted()
      const room = await input.room()
      const { bytesRead } = await staged.handle.read(room, 0, Math.min(room.length, staged.bytes - at), at)
      if (bytesRead === 0) break
      input.filled(bytesRead)
      at += bytesRead
    }
    await staged.assertUnchanged()
    this.#staged = true
    await this.#finishOpen()
  }

  #describe({ kind: _kind, ...vm }: ItemOf<'vm'>): void {
    this.#rules.note()
    this.#vm = { ...this.#vm, ...vm }
    if (JSON.stringify(this.#vm).length > descriptionBytes) {
      throw exportErrors.error('EXPORT_LIMIT_EXCEEDED', { what: 'a longer description', limit: `${descriptionBytes} bytes` })
    }
  }

  #warn({ stage, message }: ItemOf<'warning'>): void {
    this.#rules.note()
    if (this.#warnings.length === warningsKept) return
    const warning = { stage: stage.slice(0, textKept), message: message.slice(0, textKept), timestamp: new Date().toISOString() }
    this.#warnings.push(warning)
    this.#options.log({ level: 'warn', message: warning.message, fields: { stage: warning.stage } })
  }

  async #fileOf(disk: DeclaredDisk): Promise<DiskFile> {
    if (this.#open?.disk === disk) return this.#open.file
    await this.#finishOpen()
    const { target, meter, log, pool, hasher, signal } = this.#options
    const name = target.names.disk(disk.number)
    const options: DiskFileOptions = {
      path: join(target.directory, target.names.partial(name)),
      pool,
      hasher,
      signal,
      gzipLevel: target.gzipLevel,
      onDone: (bytes) => meter.add(bytes),
      onHead: (bytes) => inspectHead(disk.id, target.format, bytes),
      stillNeeded: () => meter.bytesLeft,
      checkpoints: this.#checkpoints(disk, name),
    }
    const there = disk.declared.from_bytes ? this.#options.journal.find(disk.id) : undefined
    const file =
      there === undefined
        ? await DiskFile.create(options)
        : await DiskFile.resume(options, { bytes: there.offset_bytes, sha256: there.sha256 })
    this.#open = { disk, name, file }
    meter.begin(name)
    log({ level: 'info', message: `writing ${name}`, fields: { disk: disk.id, size_bytes: disk.declared.size_bytes } })
    return file
  }

  /** Only what has an etag can be told to be the same later, and only bytes as they came can be gone on with. */
  #checkpoints({ id, declared }: DeclaredDisk, name: string): Checkpoints | undefined {
    const { journal, limits, target, log } = this.#options
    const { etag, size_bytes } = declared
    if (etag === undefined || target.gzipLevel !== undefined) return undefined
    return {
      everyMs: limits.checkpointMs,
      onDurable: async ({ bytes: offset_bytes, sha256 }) =>
        journal
          .note({ disk: id, name, etag, size_bytes, offset_bytes, sha256 })
          .catch((error: unknown) => log({ level: 'warn', message: 'cannot note how far it is', fields: { disk: id, error } })),
    }
  }

  async #finishOpen(): Promise<void> {
    if (this.#open === undefined) return
    const { disk, name, file } = this.#open
    this.#rules.complete(disk)
    const written = await file.finish()
    await file[Symbol.asyncDispose]()
    this.#open = undefined
    this.#written.set(disk.id, { ...written, disk, name })
    await this.#checkpoints(disk, name)?.onDurable(written)
    this.#options.meter.end()
    const { bytes, dataBytes, sha256 } = written
    this.#options.log({ level: 'info', message: `wrote ${name}`, fields: { bytes, data_bytes: dataBytes, sha256 } })
  }

  /** A disk that was declared and never sent is legal only when it is empty. */
  async #finishEmpty(disk: DeclaredDisk): Promise<void> {
    this.#rules.complete(disk)
    await this.#fileOf(disk)
    await this.#finishOpen()
  }
}
