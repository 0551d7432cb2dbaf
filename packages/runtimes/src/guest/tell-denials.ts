import { subscribe } from 'node:diagnostics_channel'
import { RateGate, type Session } from '@backplane/rpc'
import { deniedAtOnce, deniedPerSecond } from '../session-link/denied-words.ts'

/** What Node's permission model tells its denials by. Before Node 26, it tells nobody. */
const channels = ['fs', 'child', 'worker', 'net', 'addon', 'wasi', 'inspector', 'ffi']

/** Tells the host what Node denied this process, as often as the host takes it. */
export function tellDenials(session: Session): void {
  const gate = new RateGate(deniedPerSecond, deniedAtOnce)
  for (const channel of channels) {
    subscribe(`node:permission-model:${channel}`, (denied) => {
      if (gate.take(1)) session.notify('denied', denied)
    })
  }
}
