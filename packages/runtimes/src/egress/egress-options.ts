import type { ResolveName } from './system-names.ts'

/** Who wants to connect where. */
export interface EgressQuestion {
  /** Id of the plugin. */
  readonly plugin: string
  /** `host:port`, lower-case. */
  readonly authority: string
}

/** Headers by name. */
export type EgressHeaders = Readonly<Record<string, string>>

/** How plugins reach the network: through their host, as far as they were granted. */
export interface EgressOptions {
  /**
   * Headers that the host adds to every HTTPS request of this plugin to this place, over what the plugin sent; undefined
   * for none. Asked when the plugin starts, to know whether there are any, and for every request. The plugin never holds
   * them: its requests to such a place end in the host, which makes its own. They are HTTP/1.1, without upgrades. A server
   * that answers with what it was sent gives the secret away.
   */
  readonly credentials?: (question: EgressQuestion) => Promise<EgressHeaders | undefined> | EgressHeaders | undefined
  /**
   * Whether a granted name may lead into private networks (RFC 1918, RFC 4193, RFC 6598). Default: no. Never lifted for
   * loopback, link-local and the machine's own addresses; a grant reaches these by naming the address.
   */
  readonly allowPrivate?: (question: EgressQuestion) => boolean
  /** Certificates the host trusts beside the usual ones where it adds credentials, PEM. */
  readonly ca?: string
  /** Finds the addresses of a name. Default: the machine's own names, then its servers. */
  readonly resolve?: ResolveName
  readonly limits?: Partial<EgressLimits>
}

/** What one plugin may use of its host's network. */
export interface EgressLimits {
  /** Connections at once; more are refused. Default 128. */
  readonly connections: number
  /** Names it may look up at once; others wait their turn. Default 8. */
  readonly lookups: number
  /** Longest from the wish to the connection, resolving included, ms. Default 10,000. */
  readonly connectMs: number
  /** Longest a connection may carry nothing, ms. Default 300,000. */
  readonly idleMs: number
  /** All headers of one message that passes through the host, bytes. Default 16 KiB. */
  readonly headerBytes: number
  /** New connections it may ask for per second, a quarter at once; more are read later, none is refused for it. Default 200. */
  readonly requestsPerSecond: number
  /** Frames of HTTP/2 it may send per second, a quarter at once, the smallest as the largest; more are read later. Default 20,000. */
  readonly framesPerSecond: number
}

/** What holds where nothing else is said. */
export const defaultEgressLimits: EgressLimits = {
  connections: 128,
  lookups: 8,
  connectMs: 10_000,
  idleMs: 300_000,
  headerBytes: 16 * 1024,
  requestsPerSecond: 200,
  framesPerSecond: 20_000,
}
