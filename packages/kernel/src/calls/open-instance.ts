import type { CallRequest } from './active-call.ts'
import type { Core } from '../core.ts'
import type { Lane } from './dispatcher.ts'
import { kernelErrors } from '../errors.ts'
import type { Generation } from '../plugins/generation.ts'
import type { PointTable } from '../points/point-table.ts'
import type { CallContext, OpenedInstance, Target } from '../ports.ts'
import { within } from '../stages/stop.ts'
import type { Perform } from './unary-call.ts'

/** What a client leads to. */
export interface ClientSubject {
  readonly table: PointTable
  readonly name: string
  readonly lane: Lane
  /** Leads to another name of the point, where the host's fallbacks count. */
  readonly laneOf?: (name: string) => Lane
}

/** The way to one name of a point: its own, or one of those the host wants asked instead. */
export function laneTo({ name, lane, laneOf }: ClientSubject, to: string): Lane {
  return to === name || laneOf === undefined ? lane : laneOf(to)
}

/** An instance as it was opened, on the generation it belongs to. */
export interface OpenedOn extends OpenedInstance {
  /** Of the provider it is of. */
  readonly name: string
  readonly generation: Generation
  readonly target: Target
  readonly close: () => Promise<void>
}

/** Opens an instance and checks that it supplies what the point demands. Errors: `POINT_METHOD_MISSING` and those of a call. */
export async function openInstance(
  core: Core,
  subject: ClientSubject,
  options: unknown,
  request: CallRequest,
): Promise<OpenedOn> {
  const { table, name, lane } = subject
  const route = table.open
  const point = table.point.id
  if (route === undefined)
    throw kernelErrors.error('POINT_INVALID', { point, problem: 'is used without being opened' }, { point })
  const target: Target = { point, name, method: 'open' }
  const opening = new Opening(core, (instance) => ({ point, name, method: 'close', instance }))
  try {
    const opened = (await core.dispatcher.call(lane, { route, target, value: options }, request, opening)) as OpenedInstance
    const missing = [...table.routes.values()].find(({ optional, method }) => !optional && !opened.methods.includes(method))
    const on = opening.opened(opened)
    if (missing === undefined) return on
    await on.close()
    const plugin = on.generation.plugin.id
    throw kernelErrors.error('POINT_METHOD_MISSING', { plugin, point, name, method: missing.method }, { plugin, point })
  } catch (error) {
    opening.release()
    throw error
  }
}

/**
 * One attempt to open an instance. It counts on its generation from the moment that is asked, so that a generation that
 * is being replaced does not end between the answer and the first use of what was opened.
 */
class Opening implements Perform {
  readonly #core: Core
  readonly #closeTarget: (instance: number) => Target
  #held: Generation | undefined

  constructor(core: Core, closeTarget: (instance: number) => Target) {
    this.#core = core
    this.#closeTarget = closeTarget
  }

  run(generation: Generation, target: Target, input: unknown, context: CallContext): Promise<unknown> {
    this.#held = generation
    generation.opened += 1
    return generation.instance.open(target, input, context)
  }

  late(generation: Generation, _target: Target, answer: unknown): void {
    void closeInstance(this.#core, generation, this.#closeTarget((answer as OpenedInstance).instance))
  }

  opened(instance: OpenedInstance): OpenedOn {
    const generation = this.#held
    if (generation === undefined) throw new TypeError('an instance was opened on no generation')
    const target = this.#closeTarget(instance.instance)
    let closing: Promise<void> | undefined
    const close = (): Promise<void> => (closing ??= closeInstance(this.#core, generation, target).finally(() => this.release()))
    return { name: target.name, instance: instance.instance, methods: instance.methods, generation, target, close }
  }

  /** Idempotent. */
  release(): void {
    const generation = this.#held
    this.#held = undefined
    if (generation === undefined) return
    generation.opened -= 1
    generation.changed?.()
  }
}

/** A lane that always leads to one generation, until it has ended. */
export function pinnedLane(generation: Generation): Lane {
  return {
    plugin: () => generation.plugin,
    generation: () => {
      if (generation.ended !== undefined) throw generation.ended
      return generation
    },
  }
}

/** Waits no longer than for a plugin that stops: a close that never ends holds up neither its caller nor a drain. */
async function closeInstance(core: Core, on: Generation, target: Target): Promise<void> {
  if (on.ended !== undefined) return
  // an instance whose close fails is gone with its generation; the caller has nothing left to do
  await within(core, core.times.stopMs, on.instance.close(target)).catch(() => undefined)
}
