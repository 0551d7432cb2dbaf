import type { KernelEvent, RecordedEvent } from '@backplane/kernel'
import type { Evidence } from './finding.ts'

/** Events of one type. */
export type EventOf<T extends KernelEvent['type']> = Extract<KernelEvent, { readonly type: T }>

/** The newest events of one type that are about a plugin, newest first. */
export function newestOf<T extends KernelEvent['type']>(
  events: readonly RecordedEvent[],
  plugin: string,
  type: T,
): readonly (RecordedEvent & { readonly event: EventOf<T> })[] {
  return events
    .filter((one): one is RecordedEvent & { event: EventOf<T> } => one.event.type === type && isAbout(one.event, plugin))
    .toReversed()
}

/** An event as evidence. */
export function evidenceOf({ seq, atMs }: RecordedEvent, text: string): Evidence {
  return { text, seq, atMs }
}

function isAbout(event: KernelEvent, plugin: string): boolean {
  if (event.type === 'call.fell-back') return event.from === plugin
  return 'plugin' in event && event.plugin === plugin
}
