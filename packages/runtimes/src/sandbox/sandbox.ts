import { closeSync, openSync } from 'node:fs'
import { chmod, stat, writeFile } from 'node:fs/promises'
import { constants } from 'node:os'
import { join } from 'node:path'
import type { ExitCause, Isolation, Limits } from '@backplane/kernel'
import type { Directories } from '@backplane/sdk'
import { hiddenPaths } from './hidden-paths.ts'
import { programText } from '../bundle/guest-files.ts'
import { blockedGrants } from './blocked-grants.ts'
import { bubblewrap } from './bubblewrap.ts'
import { launchChain } from './launch-chain.ts'
import { resourceGroups, type SandboxPrograms } from './machine.ts'
import { descendantsOf } from './process-tree.ts'
import { nodeFiles, programFiles } from './program-files.ts'
import { groupLimits, type GroupCounts, type ResourceGroup } from './resource-group.ts'
import { landlockCommand } from './landlock.ts'
import { sandboxView, type Link, type SandboxView } from './sandbox-view.ts'
import { seccompFilter } from './seccomp-filter.ts'
import { takeServiceUser, type ServiceUser, type UidRange } from './service-user.ts'

/** What one plugin's sandbox is built for. */
export interface SandboxRequest {
  readonly programs: SandboxPrograms
  /** Paths as the permission model is told them. */
  readonly reads: readonly string[]
  readonly writes: readonly string[]
  /** Those of them that are the operator's own. */
  readonly granted: { readonly reads: readonly string[]; readonly writes: readonly string[] }
  /** Further names of what is there. */
  readonly links?: readonly Link[]
  /** Paths of programs the plugin may start. */
  readonly exec: readonly string[]
  readonly trust: Isolation['trust']
  /** Whether its process may start no other, not even a second Node. */
  readonly alone?: boolean
  readonly limits: Limits
  readonly directories: Directories
  /** Users to run as when this process is root. */
  readonly uids: UidRange
  /** Told, in a sentence, of what will not work although it was granted. */
  readonly warn: (sentence: string) => void
  /** Where filters are kept; a directory of the host's own. */
  readonly filters: string
  /** Number the {@link Sandbox.descriptor} will have in the process. */
  readonly descriptorNumber: number
}

/** A sandbox that a process can be started in, once. Dispose it when that process is started, or will not be. */
export interface Sandbox extends Disposable {
  /** Comes before the plugin's own command. */
  readonly before: readonly string[]
  /** To be given to the process as the number that was asked for; closed on dispose. */
  readonly descriptor: number
  /**
   * Puts the process that was started, and all it started so far, into the control group; what these start is in it too.
   * No code of a plugin's may run before this has settled. Kernels take up to 20 ms for it, about as long as Node takes
   * to start.
   */
  readonly admit: (pid: number) => Promise<void>
  /** The parent's process id as the plugin sees it. */
  readonly hostPid: number
  /** User it runs as; undefined for the host's. */
  readonly uid: number | undefined
  /** What {@link sandboxStamp} was when it was prepared. */
  readonly stamp: string
  /** Processes in it; `pid` is the one that was started. */
  readonly members: (pid: number) => Promise<readonly number[]>
  /** What the kernel counted; undefined where no control group is. */
  readonly counts: () => Promise<GroupCounts | undefined>
  /** Ends what is left in it and gives back what it held. Answers why the process ended, as the sandbox knows it. */
  readonly finish: (cause: ExitCause) => Promise<ExitCause>
}

/** What every sandbox has of its own. */
const ownNames = ['/proc', '/dev/shm', '/tmp']
/** With less Node does not start, or its sandbox is not built. */
const leastOpenFiles = 64
/** Of address space, before anything of a plugin's; Node reserves much that it never uses. */
const nodeAddressBytes = 4 * 1024 ** 3

/** Prepares all of a sandbox but its process. On error nothing is held. */
export async function prepareSandbox(request: SandboxRequest): Promise<Sandbox> {
  const { programs, limits, directories, descriptorNumber } = request
  // Looked up meanwhile; it holds nothing.
  const looked = Promise.all([filterFile(request), stampedContentOf(request)])
  looked.catch(() => undefined)
  await using held = new AsyncDisposableStack()
  let user: ServiceUser | undefined
  // Free again for another plugin when nothing runs as it any more.
  held.defer(() => user?.[Symbol.dispose]())
  const grouping = resourceGroups()?.make(groupLimits(limits))
  const made = grouping?.catch(() => undefined)
  held.defer(async () => (await made)?.end())
  if (process.getuid?.() === 0) user = await takeServiceUser(request.uids, directories)
  if (user !== undefined) for (const sentence of await blockedGrants(request.granted, user)) request.warn(sentence)
  const [filter, { found, files, stamp }] = await looked
  const view = { ...found, links: [...found.links, ...(request.links ?? [])] }
  const hidden = held.use(hiddenPaths([...view.mounts.map(({ source }) => source), ...files], user?.uid))
  const tmpBytes = limits.tmpBytes
  const shown = { view, programFiles: files, sourceOf: hidden.sourceOf, tmpBytes, filter: descriptorNumber }
  const walls = programs.bwrap === undefined ? await landlocked(view, request) : bubblewrap({ program: programs.bwrap, ...shown })
  const chain = launchChain({
    ...programs,
    table: hidden.table,
    tied: programs.bwrap === undefined,
    user,
    openFiles: Math.max(limits.openFiles, leastOpenFiles),
    fileBytes: limits.fileBytes,
    addressBytes: countsMemory() ? undefined : nodeAddressBytes + limits.memoryMiB * 1024 ** 2,
  })
  const group = await grouping
  const descriptor = openSync(filter, 'r')
  const release = held.move()
  let isOpen = true
  return {
    before: [...chain, ...walls],
    descriptor,
    hostPid: programs.bwrap === undefined ? process.pid : 1,
    admit: async (pid) => (group === undefined ? undefined : admit(pid, group)),
    uid: user?.uid,
    stamp,
    members: async (pid) => (group === undefined ? descendantsOf(pid) : group.members()),
    counts: async () => group?.counts(),
    finish: async (cause) => finish(cause, { group, limits, release, user }),
    [Symbol.dispose]: () => {
      if (isOpen) closeSync(descriptor)
      isOpen = false
    },
  }
}

type Content = Pick<SandboxRequest, 'reads' | 'writes' | 'exec'>

async function contentOf({ reads, writes, exec }: Content): Promise<{ found: SandboxView; files: readonly string[] }> {
  const granted = await Promise.all(exec.map(programFiles))
  const files = [...new Set([...nodeFiles(), ...granted.flat()])]
  return { found: await sandboxView(reads, writes, [...files, ...ownNames]), files }
}

async function stampedContentOf(content: Content): Promise<Awaited<ReturnType<typeof contentOf>> & { stamp: string }> {
  const { found, files } = await contentOf(content)
  return { found, files, stamp: await stampOf(found, files) }
}

/**
 * Names everything of the machine that a sandbox for this would hold: another stamp means other files, though they may have
 * the same names.
 */
export async function sandboxStamp(content: Content): Promise<string> {
  return (await stampedContentOf(content)).stamp
}

async function stampOf(view: SandboxView, files: readonly string[]): Promise<string> {
  const paths = [...view.mounts.map(({ source }) => source), ...files]
  const stats = await Promise.all(paths.map((path) => stat(path).catch(() => undefined)))
  return JSON.stringify([view, files, stats.map((one) => one && [one.dev, one.ino, one.uid])])
}

/** Without namespaces: the same files and calls, given up by the process itself before it becomes the plugin's. */
async function landlocked({ mounts }: SandboxView, request: SandboxRequest): Promise<readonly string[]> {
  const { filters: directory, descriptorNumber } = request
  const keep = Array.from({ length: descriptorNumber - 3 }, (_, index) => index + 3)
  const launcher = await writtenOnce(join(directory, 'landlock.cjs'), () => programText('landlock'))
  const reads = mounts.filter(({ mode }) => mode === 'read').map(({ source }) => source)
  const writes = mounts.filter(({ mode }) => mode !== 'read').map(({ source }) => source)
  return landlockCommand({ launcher, reads: [...reads, launcher], writes, keep })
}

/** How long a process that is not a member yet is tried, ms; one that is ending may be there without being one. */
const admitMs = 5_000

/** What a member starts is a member, so each look finds only what was started before its parent became one. */
async function admit(pid: number, group: ResourceGroup): Promise<void> {
  await group.add(pid)
  for (const until = performance.now() + admitMs; ;) {
    const members = new Set(await group.members())
    const missing = (await descendantsOf(pid)).filter((one) => !members.has(one))
    if (missing.length === 0) return
    if (performance.now() > until) throw new Error(`${missing.length} of its processes cannot be put into its group`)
    // One that ended meanwhile needs no group.
    await Promise.all(missing.map((one) => group.add(one).catch(() => undefined)))
  }
}

/** Whether a control group counts what all of a plugin's processes hold. */
export function countsMemory(): boolean {
  return resourceGroups()?.mechanisms.memory !== undefined
}

interface Held {
  readonly group: ResourceGroup | undefined
  readonly limits: Limits
  readonly release: AsyncDisposableStack
  readonly user: ServiceUser | undefined
}

async function finish(cause: ExitCause, { group, limits, release }: Held): Promise<ExitCause> {
  const counts = await group?.counts().catch(() => undefined)
  await release.disposeAsync().catch(() => undefined)
  const told = signalled(cause)
  if (counts === undefined || counts.outOfMemory === 0 || !('lastLines' in told) || told.kind !== 'signal') return told
  return { kind: 'memory', detail: `its processes wanted more than ${limits.memoryMiB} MiB`, lastLines: told.lastLines }
}

/** The sandbox ends with 128 and the number of the signal that ended what ran in it, as a shell does. */
function signalled(cause: ExitCause): ExitCause {
  if (cause.kind !== 'exit' || cause.code <= 128) return cause
  const name = Object.entries(constants.signals).find(([, number]) => number === cause.code - 128)?.[0]
  return name === undefined ? cause : { kind: 'signal', signal: name, lastLines: cause.lastLines }
}

/** The system-call filter as a file. */
function filterFile({ filters: directory, exec, trust, alone = false }: SandboxRequest): Promise<string> {
  const width = exec.length > 0 || trust !== 'community' ? 'wide' : 'narrow'
  const path = join(directory, `filter-${width}${alone ? '-alone' : ''}`)
  return writtenOnce(path, () => Promise.resolve(seccompFilter({ arch: process.arch, width, alone })))
}

const written = new Map<string, Promise<string>>()

/** Writes a file that everybody may read, the first time it is needed. Answers its path. */
function writtenOnce(path: string, content: () => Promise<string | Uint8Array>): Promise<string> {
  const write = async (): Promise<string> => {
    await writeFile(path, await content())
    await chmod(path, 0o444)
    return path
  }
  const known = written.get(path) ?? write()
  written.set(path, known)
  // What failed once may work the next time.
  known.catch(() => written.delete(path))
  return known
}
