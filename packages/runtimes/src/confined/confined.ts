import { realpath } from 'node:fs/promises'
import type { StartRequest } from '@backplane/kernel'
import type { Directories } from '@backplane/sdk'
import type { PooledRuntime } from '../pool/pooled-runtime.ts'
import { filesOf, startOverSession, type Placement } from '../session-link/start-over-session.ts'
import { trackedRuntime } from '../tracked-runtime.ts'
import { ChildFactory } from './child-factory.ts'
import { shapeOf } from './child-shape.ts'
import type { ConfinedOptions } from './confined-options.ts'
import { confinedEnforcement } from './enforces.ts'
import { findLauncher, findProgram } from './launcher.ts'
import type { ConfinedStart } from './process-main.ts'

/**
 * The tier for code the host does not trust: a process of its own with an empty environment, in Node's permission model,
 * with exactly the granted paths; killed together with the host. It is a seat belt, not a wall: what the model does not
 * cover (signals to processes of the same user, memory outside the heap, links inside granted directories) stays open,
 * and a plugin that may start programs may do whatever these can.
 */
export function confined(options: ConfinedOptions = {}): PooledRuntime {
  const launcher = options.setpriv === false ? undefined : (options.setpriv ?? findLauncher())
  const factory = new ChildFactory({ ...options, launcher })
  if ((options.pool?.size ?? 0) > 0) void factory.warm()
  const runtime = trackedRuntime({
    tier: 'confined',
    enforces: (grants) => confinedEnforcement(grants, launcher),
    launch: async (request, host, signal) =>
      startOverSession('confined', await place(factory, request, launcher), request, { host, signal, hangMs: options.hangMs }),
    [Symbol.asyncDispose]: () => factory[Symbol.asyncDispose](),
  })
  return { ...runtime, warm: () => factory.warm() }
}

async function place(factory: ChildFactory, request: StartRequest, launcher: string | undefined): Promise<Placement> {
  const code = filesOf(request, 'confined')
  const real = await realDirectories({ ...request.directories, code: code.directory })
  const shape = await shapeOf({ ...request, directories: real }, await factory.readsOf(code.adapter))
  const extra = programsOf(request, launcher)
  const spare = await factory.takeSpare(shape, real)
  if (spare === undefined) {
    const body = await factory.make(shape, real)
    return { body, code: { ...code, directory: real.code }, directories: real, extra }
  }
  const { body, directories, dropped } = spare
  return { body, code: { ...code, directory: directories.code }, directories, extra: { ...extra, dropped } }
}

/** The permission model matches paths as they are written, so only real ones are given. */
async function realDirectories({ code, data, exchange }: Directories): Promise<Directories> {
  const [realCode, realData, realExchange] = await Promise.all([realpath(code), realpath(data), realpath(exchange)])
  return { code: realCode, data: realData, exchange: realExchange }
}

/** Where the programs are that a plugin was granted; missing ones are left to the plugin to miss. */
function programsOf({ grants }: StartRequest, launcher: string | undefined): ConfinedStart {
  if (grants.exec.length === 0) return {}
  const found = grants.exec.map((name) => [name, findProgram(name)] as const)
  const paths = Object.fromEntries(found.flatMap(([name, path]) => (path === undefined ? [] : [[name, path] as const])))
  return { programs: { paths, launcher } }
}
