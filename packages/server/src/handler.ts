import type { Progress } from '@backplane/sdk'
import type { Caller } from './guard/caller.ts'

/**
 * What a fetch `Request` cannot carry: how the request really came. {@link serve} makes it; whoever mounts a handler
 * behind another server makes it truthfully, because the guard decides by it. Hono handlers see it as `c.env`.
 */
export interface Peer {
  /** A unix socket is 0600: whoever can connect is its owner, so no token is asked. */
  readonly via: 'unix' | 'tcp'
  /** Whether it came through TLS. */
  readonly secure: boolean
  /** Remote address; empty for a unix socket. */
  readonly address: string
  /** The port listened on; undefined for a unix socket. */
  readonly localPort: number | undefined
  /** The request target exactly as it stood in the request line. */
  readonly target: string
  /** Every Host header, in order. */
  readonly hosts: readonly string[]
  /** Aborted when the server begins to close, or the caller's token counts no more: end streams then. */
  readonly closing: AbortSignal
  /** Who it is, once the guard has found out; it stands before every route. */
  readonly caller?: Caller
  /** Told how far a long change is, where somebody can look. */
  readonly onProgress?: (progress: Progress) => void
  /**
   * Answers a request with an `Idempotency-Key` whose body was not read into memory, once `content` stands for that body: the
   * first does the work, the others are given its answer. Absent where no key was given.
   */
  readonly once?: (content: string, work: () => Promise<Response>) => Promise<Response>
  /**
   * Takes over writing down what comes of this request, for a change that goes on after its answer: what it gives is told the
   * change's own answer, before anybody else is.
   */
  readonly auditLater?: () => (answered: Response) => Promise<void>
}

/** Answers one request. A Hono application's `fetch` is one. */
export type Handler = (request: Request, peer: Peer) => Response | Promise<Response>
