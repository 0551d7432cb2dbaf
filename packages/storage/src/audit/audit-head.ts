import type { Store } from '@backplane/kernel'
import { type ChainPlace, macOf, sameText } from './audit-chain.ts'
import { canonicalJson } from './canonical-json.ts'

/** Where the end of the log is kept, away from its files, so that taking records off the end shows. */
export interface AuditHeadPlace {
  readonly load: () => Promise<string | undefined>
  /** Durable when it settles. */
  readonly save: (text: string) => Promise<void>
}

/** Keeps it in a store, under a namespace of its own. */
export function headInStore(store: Store): AuditHeadPlace {
  return { load: () => store.get('audit', 'head'), save: (text) => store.set('audit', 'head', text) }
}

/** What the log is to begin and to end with. */
export interface AuditHead {
  /** What the oldest file that is kept follows. */
  readonly from: ChainPlace
  readonly last: ChainPlace
}

/** The text that is kept of a head; only who has the key can make it. */
export function headText(head: AuditHead, key: Uint8Array): string {
  return canonicalJson({ ...head, mac: macOf(canonicalJson(head), key) })
}

/** Reads what {@link headText} wrote; undefined when it is anything else, or was made with another key. */
export function readHead(text: string, key: Uint8Array): AuditHead | undefined {
  try {
    const { mac, from, last } = JSON.parse(text) as AuditHead & { readonly mac: string }
    const head = { from, last }
    return sameText(mac, macOf(canonicalJson(head), key)) ? head : undefined
  } catch {
    return undefined
  }
}
