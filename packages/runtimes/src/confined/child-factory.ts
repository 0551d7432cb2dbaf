import { mkdtemp, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import type { Directories } from '@backplane/sdk'
import { layOutGuest, type GuestFiles } from '../bundle/guest-files.ts'
import { egressDescriptor } from '../egress/egress-words.ts'
import type { HostModules } from '../guest/module-map.ts'
import { SpareBodies } from '../pool/spare-bodies.ts'
import { countsMemory, prepareSandbox, type Sandbox } from '../sandbox/sandbox.ts'
import type { GuestBody } from '../session-link/guest-body.ts'
import { childBody, type ChildBoot } from './child-body.ts'
import { childFlags } from './child-flags.ts'
import { childShape, permissionsToDrop, spareShape, type ChildShape, type DroppedPermission } from './child-shape.ts'
import type { ConfinedOptions } from './confined-options.ts'
import { moduleReads, packageReads } from './package-reads.ts'
import { PairsAhead } from './pairs-ahead.ts'
import { SandboxesAhead, type BuiltSandbox, type PlacedSandbox, type SandboxOrder, type SandboxPlan } from './sandboxes-ahead.ts'
import { linkDirectories, linksTo, shadowedDirectories } from './shadowed-directories.ts'
import { makeSlot, type Slot } from './slot.ts'

/** A child from the pool, with its plugin's directories linked into its slot. */
export interface PlacedSpare {
  readonly body: GuestBody
  /** As the child may name them. */
  readonly directories: Directories
  readonly dropped: readonly DroppedPermission[]
}

interface SpareChild extends GuestBody {
  readonly slot: Slot
  readonly shape: ChildShape
}

interface Prepared {
  readonly files: GuestFiles
  /** The guest's own files and the packages of the host's modules. */
  readonly reads: readonly string[]
}

/** What one child has beside its shape. */
interface OwnPlace {
  readonly reads: readonly string[]
  readonly writes: readonly string[]
  readonly cwd: string
  readonly preload: boolean
  readonly slot?: string
  readonly sandbox?: Sandbox
  /** Links to directories, where somebody else makes them. */
  readonly otherNames?: Readonly<Record<string, string>>
}

/** Nothing else is there. */
const linksInSandbox = '/names'

/** Of what a plugin may hold, what is not its heap; and the heap below which Node does not run. */
const besideHeapMiB = 64
const leastHeapMiB = 32

/** Makes children for the confined tier, or takes them from its pool. Dispose it to end the pool and remove its files. */
export class ChildFactory implements AsyncDisposable {
  readonly #options: ConfinedOptions & { readonly launcher: string | undefined }
  readonly #spares: SpareBodies<ChildShape, SpareChild>
  readonly #sandboxes: SandboxesAhead
  readonly #pairs = new PairsAhead()
  readonly #adapterReads = new Map<string, Promise<readonly string[]>>()
  #prepared: Promise<Prepared> | undefined

  constructor(options: ConfinedOptions & { readonly launcher: string | undefined }) {
    this.#options = options
    const { size = 0, memoryMiB = 256 } = options.pool ?? {}
    const usual = spareShape(childShape({ reads: [], writes: [], exec: false, net: false, memoryMiB, dataName: 'data' }))
    this.#spares = new SpareBodies({ size, usual, make: (shape) => this.#makeSpare(shape) })
    this.#sandboxes = new SandboxesAhead({
      size,
      build: (order) => this.#buildSandboxed({ ...order, preload: true }),
      directory: async () => (await this.#prepare()).files.directory,
    })
  }

  /** Does ahead what the first start would wait for. Errors are left to that start. */
  async warm(): Promise<void> {
    this.#pairs.prepare()
    await this.#prepare().catch(() => undefined)
    await this.#spares.fill()
    await this.#sandboxes.fill()
  }

  /** What every child reads: the guest's own files and the packages of the host's modules. */
  async hostReads(): Promise<readonly string[]> {
    return (await this.#prepare()).reads
  }

  /** What must be readable for an adapter to be loaded: its own files, not the host it is part of. */
  readsOf(adapter: string | undefined): Promise<readonly string[]> {
    if (adapter === undefined) return Promise.resolve([])
    const url = adapter.startsWith('file:') ? adapter : pathToFileURL(adapter).href
    const reads = this.#adapterReads.get(url) ?? moduleReads(url, this.#provided())
    this.#adapterReads.set(url, reads)
    return reads
  }

  /** A new process that may use these directories, given by their real paths. */
  async make(shape: ChildShape, { code, data, exchange }: Directories): Promise<GuestBody> {
    const { files } = await this.#prepare()
    const cwd = await mkdtemp(join(files.directory, 'run-'))
    const body = await this.#spawn(shape, { reads: [code, data, exchange], writes: [data, exchange], cwd, preload: false })
    void body.ended.then(() => rm(cwd, { recursive: true, force: true })).catch(() => undefined)
    return body
  }

  /** A new process in a sandbox of its own, or one made ahead for exactly this plugin. Errors: those of building it. */
  async makeSandboxed(shape: ChildShape, directories: Directories, plan: SandboxPlan): Promise<PlacedSandbox> {
    const order = { shape, directories, plan }
    const placed = (await this.#sandboxes.take(order)) ?? {
      ...(await this.#buildSandboxed({ ...order, preload: false })),
      directories,
    }
    this.#sandboxes.keepWhile(order, placed.body)
    return placed
  }

  async #buildSandboxed({
    shape,
    directories,
    plan,
    preload,
  }: SandboxOrder & { readonly preload: boolean }): Promise<BuiltSandbox> {
    const { files, reads } = await this.#prepare()
    const { code, data, exchange } = directories
    const own: OwnPlace = { reads: [code, data, exchange], writes: [data, exchange], cwd: '/', preload }
    const granted = [...reads, ...own.reads, ...shape.reads]
    const hasOwnRoot = plan.programs.bwrap !== undefined
    const parent = hasOwnRoot ? linksInSandbox : await mkdtemp(join(files.directory, 'run-'))
    const shadowed = shadowedDirectories(shape.audit === undefined ? granted : [...reads, ...own.reads, ...shape.audit.reads])
    const otherNames = hasOwnRoot ? linksTo(shadowed, parent) : await linkDirectories(shadowed, parent)
    const content = { reads: granted, writes: [...own.writes, ...shape.writes], exec: plan.exec }
    const sandbox = await prepareSandbox({
      ...plan,
      ...content,
      links: Object.entries(otherNames).map(([target, name]) => ({ name, target })),
      granted: shape,
      // Where Node denies it nothing, the filter has to.
      alone: shape.audit !== undefined && plan.exec.length === 0,
      directories,
      filters: files.directory,
      descriptorNumber: egressDescriptor + (shape.net ? 1 : 0),
    })
    // The heap is a part of what the plugin may hold.
    const heapMiB = Math.max(leastHeapMiB, shape.memoryMiB - besideHeapMiB)
    try {
      const body = await this.#spawn({ ...shape, memoryMiB: heapMiB }, { ...own, sandbox, otherNames })
      // One that cannot be held to its limits is ended; the start then says how it ended.
      await sandbox.admit(body.pid).catch(() => body.kill())
      if (!hasOwnRoot) void body.ended.then(() => rm(parent, { recursive: true, force: true })).catch(() => undefined)
      return { body, content, stamp: sandbox.stamp }
    } catch (error) {
      sandbox[Symbol.dispose]()
      await sandbox.finish({ kind: 'stopped' })
      throw error
    }
  }

  /** A process from the pool that fits, told its plugin's directories; undefined when there is none. */
  async takeSpare(shape: ChildShape, directories: Directories): Promise<PlacedSpare | undefined> {
    const spare = this.#spares.take(spareShape(shape))
    if (spare === undefined) return undefined
    const { slot } = spare
    try {
      await slot.link(directories)
      const dropped = permissionsToDrop(spare.shape, shape)
      return { body: spare, directories: slot.paths, dropped }
    } catch (error) {
      spare.kill()
      throw error
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#spares[Symbol.asyncDispose]()
    await this.#sandboxes[Symbol.asyncDispose]()
    await this.#pairs[Symbol.asyncDispose]()
    const prepared = await this.#prepared?.catch(() => undefined)
    await prepared?.files[Symbol.asyncDispose]()
  }

  async #makeSpare(shape: ChildShape): Promise<SpareChild> {
    const { files } = await this.#prepare()
    const slot = await makeSlot(files.directory, shape.dataName)
    const { code, data, exchange } = slot.paths
    const inside = (path: string): string => `${path}/*`
    const writes = [inside(data), inside(exchange)]
    const body = await this.#spawn(shape, {
      reads: [inside(code), ...writes],
      writes,
      cwd: slot.directory,
      preload: true,
      slot: code,
    })
    void body.ended.then(() => slot[Symbol.asyncDispose]()).catch(() => undefined)
    return { ...body, slot, shape }
  }

  async #spawn(shape: ChildShape, own: OwnPlace): Promise<GuestBody> {
    const [{ files, reads }, pair] = await Promise.all([this.#prepare(), this.#pairs.take()])
    const { audit } = shape
    // What is allowed by a flag is not told of.
    const granted = [...reads, ...own.reads, ...(audit ?? shape).reads]
    const otherNames = own.otherNames ?? (await linkDirectories(shadowedDirectories(granted), own.cwd))
    const writes = [...own.writes, ...(audit === undefined ? shape.writes : [])]
    const flags = childFlags({
      ...shape,
      reads: [...granted, ...Object.values(otherNames)],
      writes,
      audit: audit !== undefined,
      narrowAddresses: own.sandbox !== undefined && !countsMemory(),
    })
    const { launcher, output = {} } = this.#options
    const modules: HostModules = { ...this.#options.modules, '@backplane/sdk': files.sdkUrl }
    const { slot, sandbox, preload, cwd } = own
    const boot: ChildBoot = {
      modules,
      preload,
      otherNames,
      forgotten: shadowedDirectories(writes),
      ...(slot === undefined ? {} : { slot }),
      ...(sandbox === undefined ? {} : { sandboxed: true }),
    }
    return childBody({ launcher, sandbox, flags, main: files.main, boot, cwd, pair, egress: shape.net, output })
  }

  /** What everything in a guest imports from where its host says. */
  #provided(): readonly string[] {
    return ['@backplane/sdk', ...Object.keys(this.#options.modules ?? {})]
  }

  #prepare(): Promise<Prepared> {
    this.#prepared ??= this.#layOut()
    return this.#prepared
  }

  async #layOut(): Promise<Prepared> {
    const { modules = {}, temporaryDirectory } = this.#options
    const own = Object.entries(modules).flatMap(([name, url]) => (name === '@backplane/sdk' ? [] : [url]))
    const [files, packages] = await Promise.all([layOutGuest('process', temporaryDirectory), packageReads(own, this.#provided())])
    return { files, reads: [files.reads, ...packages] }
  }
}
