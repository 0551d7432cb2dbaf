import { realpath } from 'node:fs/promises'
import type { HostLink, StartRequest } from '@backplane/kernel'
import type { Directories } from '@backplane/sdk'
import { runtimeErrors } from '../errors.ts'
import type { EgressStart } from '../egress/egress-words.ts'
import { joinEgress, pluginEgress } from '../egress/plugin-egress.ts'
import type { PooledRuntime } from '../pool/pooled-runtime.ts'
import { sandboxTrial, trySandbox, type SandboxPrograms, type SandboxTrial } from '../sandbox/machine.ts'
import { Meter } from '../sandbox/meter.ts'
import { countsMemory } from '../sandbox/sandbox.ts'
import { defaultUids } from '../sandbox/service-user.ts'
import { filesOf, startOverSession, type Placement } from '../session-link/start-over-session.ts'
import { trackedRuntime } from '../tracked-runtime.ts'
import { ChildFactory } from './child-factory.ts'
import { shapeOf } from './child-shape.ts'
import type { ConfinedOptions } from './confined-options.ts'
import { confinedEnforcement } from './enforces.ts'
import { checkAudit, toldUses, whyNoAudit } from './audit-mode.ts'
import { useOfGrants } from './use-of-grants.ts'
import { findLauncher, findProgram } from './launcher.ts'
import type { ConfinedStart } from './process-main.ts'

/**
 * The tier for code the host does not trust: a process of its own with an empty environment, in Node's permission model,
 * with exactly the granted paths; killed together with the host. How much more stands around it is the plugin's isolation:
 *
 * - `process`: nothing more. It is a seat belt, not a wall: what the model does not cover (signals to processes of the same
 *   user, memory outside the heap, links inside granted directories) stays open, and a plugin that may start programs may
 *   do whatever these can.
 * - `os`: a sandbox of the operating system. There is nothing to reach: no other files, processes or network, few system
 *   calls, a user of its own when the host is root, and groups that memory, processor and processes are held to.
 */
export function confined(options: ConfinedOptions = {}): PooledRuntime {
  const launcher = options.setpriv === false ? undefined : (options.setpriv ?? findLauncher())
  const factory = new ChildFactory({ ...options, launcher })
  const meter = new Meter()
  if ((options.pool?.size ?? 0) > 0) void factory.warm()
  const trial = trialOf(options)
  const runtime = trackedRuntime({
    tier: 'confined',
    enforces: (grants, limits, isolation) =>
      confinedEnforcement({ grants, limits, launcher, sandbox: isolation.floor === 'os' ? trial() : undefined }),
    cannotAudit: (grants, isolation) => whyNoAudit(grants, isolation, trial),
    launch: async (request, host, signal) => {
      checkAudit(request, trial)
      const granted = await pluginEgress(request, options.egress ?? {})
      const placed = await place({ factory, options, launcher, trial, host }, request, granted?.start)
      const broker = joinEgress(placed.body, granted, { plugin: request.plugin.id, host, options: options.egress ?? {} })
      const placement = { ...placed, network: broker?.counts, tellsUse: toldUses(request) }
      meter.watch(metered(placement, request, host))
      return startOverSession('confined', placement, request, { ...options, host, signal })
    },
    [Symbol.asyncDispose]: async () => {
      meter[Symbol.dispose]()
      await factory[Symbol.asyncDispose]()
    },
  })
  return { ...runtime, warm: () => factory.warm() }
}

/** Tried when it is first asked for, because a host without sandboxed plugins need not know. */
function trialOf({ bwrap, uids, landlock }: ConfinedOptions): () => SandboxTrial {
  if (bwrap === undefined && uids === undefined && landlock === undefined) return sandboxTrial
  let trial: SandboxTrial | undefined
  return () =>
    (trial ??= trySandbox({
      ...(bwrap === undefined ? {} : { bwrap }),
      ...(uids === undefined ? {} : { uids }),
      ...(landlock === undefined ? {} : { landlock }),
    }))
}

interface Means {
  readonly factory: ChildFactory
  readonly options: ConfinedOptions
  readonly launcher: string | undefined
  readonly trial: () => SandboxTrial
  readonly host: HostLink
}

async function place(
  { factory, options, launcher, trial, host }: Means,
  request: StartRequest,
  egress: EgressStart | undefined,
): Promise<Placement> {
  const code = filesOf(request, 'confined')
  const real = await realDirectories({ ...request.directories, code: code.directory })
  const [adapterReads, hostReads] = await Promise.all([factory.readsOf(code.adapter), factory.hostReads()])
  const shape = await shapeOf({ ...request, directories: real }, adapterReads, hostReads)
  const { limits, isolation } = request
  if (isolation.floor === 'os') {
    const paths = programPaths(request)
    const programs = sandboxPrograms(trial(), request)
    const warn = (message: string): void => host.log({ level: 'warn', message })
    const uids = options.uids ?? defaultUids
    const plan = { programs, exec: Object.values(paths), trust: isolation.trust, limits, uids, warn }
    const { body, directories } = await factory.makeSandboxed(shape, real, plan)
    const started = startWith(paths, undefined, egress)
    const inSandbox = { body, code: { ...code, directory: directories.code }, directories }
    if (request.audit !== true) return { ...inSandbox, extra: started }
    const audited = { useOf: await useOfGrants(request.grants, paths), hasPrograms: plan.exec.length > 0 }
    return { ...inSandbox, extra: { ...started, audit: true }, audited }
  }
  const extra = startWith(programPaths(request), launcher, egress)
  const spare = await factory.takeSpare(shape, real)
  if (spare === undefined) {
    const body = await factory.make(shape, real)
    return { body, code: { ...code, directory: real.code }, directories: real, extra }
  }
  const { body, directories, dropped } = spare
  return { body, code: { ...code, directory: directories.code }, directories, extra: { ...extra, dropped } }
}

/** Programs a plugin starts are held by namespaces alone. */
function sandboxPrograms(trial: SandboxTrial, { plugin: { id: plugin }, grants }: StartRequest): SandboxPrograms {
  if (trial.works) return trial.programs
  if (trial.weaker !== undefined && grants.exec.length === 0) return trial.weaker.programs
  throw runtimeErrors.error('RUNTIME_SANDBOX_UNAVAILABLE', { plugin, missing: trial.missing }, { plugin })
}

/** What Node itself holds beside the heap, where only the heap is limited by the engine, MiB. */
const besideHeapMiB = 96

function metered(
  { body }: Placement,
  { limits, directories, isolation }: StartRequest,
  host: HostLink,
): Parameters<Meter['watch']>[0] {
  const counted = isolation.floor === 'os' && countsMemory()
  const memoryBytes = counted ? undefined : (limits.memoryMiB + besideHeapMiB) * 1024 ** 2
  return { body, host, limits, data: directories.data, memoryBytes }
}

/** The permission model matches paths as they are written, so only real ones are given. */
async function realDirectories({ code, data, exchange }: Directories): Promise<Directories> {
  const [realCode, realData, realExchange] = await Promise.all([realpath(code), realpath(data), realpath(exchange)])
  return { code: realCode, data: realData, exchange: realExchange }
}

/** Where the programs are that a plugin was granted; missing ones are left to the plugin to miss. */
function programPaths({ grants }: StartRequest): Readonly<Record<string, string>> {
  const found = grants.exec.map((name) => [name, findProgram(name)] as const)
  return Object.fromEntries(found.flatMap(([name, path]) => (path === undefined ? [] : [[name, path] as const])))
}

function startWith(
  paths: Readonly<Record<string, string>>,
  launcher: string | undefined,
  egress: EgressStart | undefined,
): ConfinedStart {
  return {
    ...(egress === undefined ? {} : { egress }),
    ...(Object.keys(paths).length === 0 ? {} : { programs: { paths, launcher } }),
  }
}
