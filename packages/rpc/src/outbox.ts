import { noParts } from './message.ts'
import type { PeerLimits } from './limits.ts'
import type { Channel } from './session.ts'

/** Something that waits for its turn to be written. */
export interface Write {
  readonly write: () => void
}

/**
 * The order in which this side writes. Until the peer has said `hello`, and while the transport is congested, requests
 * and replies wait here, first in first out; short control messages pass by.
 */
export class Outbox {
  readonly #channel: Channel
  /** A set keeps the order and lets a cancelled request leave from the middle. */
  readonly #waiting = new Set<Write>()
  #peer: PeerLimits | undefined
  #watching = false
  #closed = false

  constructor(channel: Channel) {
    this.#channel = channel
  }

  /** What the peer accepts; undefined until its `hello`. */
  get peer(): PeerLimits | undefined {
    return this.#peer
  }

  get writable(): boolean {
    return this.#peer !== undefined && this.#waiting.size === 0 && !this.#channel.congested
  }

  /** How many wait. */
  get waiting(): number {
    return this.#waiting.size
  }

  /** Writes now, or when its turn comes. */
  enqueue(item: Write): void {
    if (this.writable) return item.write()
    this.#waiting.add(item)
    this.#watch()
  }

  cancel(item: Write): void {
    this.#waiting.delete(item)
  }

  /** Sends at once, whatever waits. */
  send(text: string, parts: readonly Uint8Array[]): void {
    if (!this.#closed) this.#channel.send(text, parts)
  }

  /** Sends a control message, which is an array of plain JSON. */
  control(fields: readonly unknown[]): void {
    if (!this.#closed) this.#channel.send(JSON.stringify(fields), noParts)
  }

  /** The peer has said what it accepts: writing begins. */
  open(peer: PeerLimits): void {
    this.#peer = peer
    this.#pump()
  }

  close(): void {
    this.#closed = true
    this.#waiting.clear()
  }

  #pump(): void {
    for (const item of this.#waiting) {
      if (this.#channel.congested) break
      this.#waiting.delete(item)
      item.write()
    }
    this.#watch()
  }

  #watch(): void {
    if (this.#watching || this.#closed || this.#peer === undefined || this.#waiting.size === 0) return
    this.#watching = true
    void this.#pumpWhenDrained()
  }

  async #pumpWhenDrained(): Promise<void> {
    await this.#channel.drained()
    this.#watching = false
    this.#pump()
  }
}
