import { boundedWait } from '../calls/bounded-wait.ts'
import type { Core } from '../core.ts'
import { kernelErrors } from '../errors.ts'
import type { Generation } from './generation.ts'
import { messageOf } from '../calls/thrown.ts'

/**
 * Lets a generation that is about to take over show that it can: it answers, and says that it is healthy.
 * Errors: `UPDATE_NOT_PROVEN`.
 */
export async function prove(core: Core, { plugin, candidate, instance }: Generation): Promise<void> {
  const { proveMs } = core.times
  const about = { plugin: plugin.id, version: candidate.version }
  const step = async (what: string, work: Promise<unknown>): Promise<void> => {
    try {
      await inTime(core, what, work)
    } catch (error) {
      const parameters = { ...about, reason: messageOf(error) }
      throw kernelErrors.error('UPDATE_NOT_PROVEN', parameters, { plugin: plugin.id, cause: error })
    }
  }
  await step('its answer to a ping', instance.ping(proveMs))
  await step('its health check', instance.health(proveMs))
}

/**
 * Asks the generation that serves for what is only in its memory and gives it to the next one. The one that serves goes on.
 * Errors: `UPDATE_NOT_HANDED_OVER`.
 */
export async function handOver(core: Core, from: Generation | undefined, to: Generation): Promise<void> {
  if (from === undefined || from.ended !== undefined) return
  const { proveMs } = core.times
  try {
    const value = await inTime(core, 'its snapshot', from.instance.snapshot(proveMs))
    if (value === undefined) return
    const text = jsonOf(value, to.limits.messageBytes)
    await inTime(core, 'what was handed over to be restored', to.instance.restore(JSON.parse(text), proveMs))
  } catch (error) {
    const versions = { from: from.candidate.version, to: to.candidate.version }
    const parameters = { plugin: to.plugin.id, ...versions, reason: messageOf(error) }
    throw kernelErrors.error('UPDATE_NOT_HANDED_OVER', parameters, { plugin: to.plugin.id, cause: error })
  }
}

/** A runtime that does not keep the deadline is not waited for. */
export function inTime<T>(core: Core, what: string, work: Promise<T>): Promise<T> {
  const { proveMs } = core.times
  const error = (): Error => new Error(`${what} did not come within ${proveMs} ms`)
  return boundedWait(work, { signal: core.stopping, deadline: { clock: core.clock, ms: proveMs, error } })
}

function jsonOf(value: unknown, mostBytes: number): string {
  const text = JSON.stringify(value) as string | undefined
  if (text === undefined) throw new Error('the snapshot is not JSON')
  const bytes = Buffer.byteLength(text)
  if (bytes > mostBytes) throw new Error(`the snapshot has ${bytes} bytes, more than the ${mostBytes} of one message`)
  return text
}
