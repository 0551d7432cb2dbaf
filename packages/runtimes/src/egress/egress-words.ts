/*
 * What guest and broker say to each other beside HTTP/2's CONNECT (RFC 9113 §8.5).
 */

/** Asks for a connection whose HTTP the broker reads, to make requests of its own with credentials. */
export const attachedHeader = 'backplane-attached'
/** With a refusal: an error's JSON, percent-encoded. */
export const errorHeader = 'backplane-error'
/** With a connection: the address it leads to. */
export const addressHeader = 'backplane-address'

/** What a guest with a way to the network is told. */
export interface EgressStart {
  /** Number of the inherited descriptor that leads to the broker. */
  readonly descriptor: number
  /** Places, `host:port`, for which the broker adds credentials. */
  readonly attached: readonly string[]
}

/** In a plugin's process, the way to its broker: after the three standard ones and the guest's channel. */
export const egressDescriptor = 4

/** Of one connection's bytes, how many may be on their way between guest and broker. */
export const windowBytes: number = 256 * 1024
