import { subscribe } from 'node:diagnostics_channel'
import { dirname } from 'node:path'
import { RateGate, type Session } from '@backplane/rpc'
import { deniedAtOnce, deniedPerSecond, usesAtOnce, usesPerSecond } from '../session-link/denied-words.ts'

/** What Node's permission model tells its denials by. Before Node 26, it tells nobody. */
const channels = ['fs', 'child', 'worker', 'net', 'addon', 'wasi', 'inspector', 'ffi']

/** The same use is told again after this, ms; and when so many others were told. */
const againMs = 10_000
const mostTold = 4_096

/** Tells the host what Node denied this process, as often as the host takes it. */
export function tellDenials(session: Session): void {
  const gate = new RateGate(deniedPerSecond, deniedAtOnce)
  listen((denied) => {
    if (gate.take(1)) session.notify('denied', denied)
  })
}

/**
 * Tells the host what this process uses, in audit mode: each thing once in a while, and as often as the host takes it. Half of
 * that is for what lies where nothing was told of yet, so that many files in one place hide no use of another. Where that is not
 * enough, it says once that something was left out.
 */
export function tellUses(session: Session): void {
  const gate = new RateGate(usesPerSecond / 2, usesAtOnce / 2)
  const elsewhere = new RateGate(usesPerSecond / 2, usesAtOnce / 2)
  const told = new Set<string>()
  let sinceMs = performance.now()
  let isUntold = false
  listen((used) => {
    const { permission, resource } = Object(used) as Readonly<Record<string, unknown>>
    const key = `${String(permission)} ${String(resource)}`
    const nowMs = performance.now()
    if (nowMs - sinceMs > againMs || told.size >= mostTold) {
      told.clear()
      sinceMs = nowMs
    }
    const near = `${String(permission)} in ${dirname(String(resource))}`
    if (told.has(key)) return
    const isNear = told.has(near)
    if (!(isNear ? gate : elsewhere).take(1)) {
      // in a place that nothing was told of, it may be the only use of a grant
      if (!isNear && !isUntold) session.notify('untold', undefined)
      isUntold ||= !isNear
      return
    }
    told.add(key).add(near)
    session.notify('denied', { permission, resource })
  })
}

function listen(hear: (message: unknown) => void): void {
  for (const channel of channels) subscribe(`node:permission-model:${channel}`, hear)
}
