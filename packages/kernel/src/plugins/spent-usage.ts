import type { NetworkUse, Usage } from '../ports.ts'
import type { SpentUsage } from '../supervision.ts'

/** What was spent, and what one generation used on top of it between two times it was asked. */
export function spentMore(spent: SpentUsage | undefined, now: Usage, before: Usage | undefined): SpentUsage {
  const cpuMs = now.cpuMs === undefined ? spent?.cpuMs : more(spent?.cpuMs, now.cpuMs, before?.cpuMs)
  const network = now.network === undefined ? spent?.network : networkMore(spent?.network, now.network, before?.network)
  return { ...(cpuMs === undefined ? {} : { cpuMs }), ...(network === undefined ? {} : { network }) }
}

type SpentNetwork = Required<SpentUsage>['network']

function networkMore(spent: SpentNetwork | undefined, now: NetworkUse, before: NetworkUse | undefined): SpentNetwork {
  return {
    connections: more(spent?.connections, now.connections, before?.connections),
    refused: more(spent?.refused, now.refused, before?.refused),
    receivedBytes: more(spent?.receivedBytes, now.receivedBytes, before?.receivedBytes),
    sentBytes: more(spent?.sentBytes, now.sentBytes, before?.sentBytes),
  }
}

/** A process whose children have ended may have used less than before. */
function more(spent = 0, now: number, before = 0): number {
  return spent + Math.max(0, now - before)
}
