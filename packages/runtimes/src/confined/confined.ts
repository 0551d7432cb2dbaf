import type { Runtime, StartRequest } from '@backplane/kernel'
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
export function confined(options: ConfinedOptions = {}): Runtime {
  const launcher = findLauncher()
  const factory = new ChildFactory({ ...options, launcher })
  void factory.warm()
  return trackedRuntime({
    tier: 'confined',
    enforces: (grants) => confinedEnforcement(grants, launcher),
    launch: async (request, host, signal) =>
      startOverSession('confined', await place(factory, request, launcher), request, { host, signal }),
    [Symbol.asyncDispose]: () => factory[Symbol.asyncDispose](),
  })
}

async function place(factory: ChildFactory, request: StartRequest, launcher: string | undefined): Promise<Placement> {
  const code = filesOf(request, 'confined')
  const shape = await shapeOf(request, await factory.readsOf(code.adapter))
  const extra = programsOf(request, launcher)
  const spare = await factory.takeSpare(shape, { ...request.directories, code: code.directory })
  if (spare === undefined) {
    const directories = { ...request.directories, code: code.directory }
    const body = await factory.make(shape, directories)
    return { body, code, directories, modules: await factory.modules(), extra }
  }
  const { body, directories, dropped, moved } = spare
  const moreExtra: ConfinedStart = { ...extra, dropped, moved }
  return {
    body,
    code: { ...code, directory: directories.code },
    directories,
    modules: await factory.modules(),
    extra: { ...moreExtra },
  }
}

/** Where the programs are that a plugin was granted; missing ones are left to the plugin to miss. */
function programsOf({ grants }: StartRequest, launcher: string | undefined): ConfinedStart {
  if (grants.exec.length === 0) return {}
  const found = grants.exec.map((name) => [name, findProgram(name)] as const)
  const paths = Object.fromEntries(found.flatMap(([name, path]) => (path === undefined ? [] : [[name, path] as const])))
  return { programs: { paths, launcher } }
}
