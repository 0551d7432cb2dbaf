import { defineErrors, type ErrorCatalogue } from '@backplane/sdk'

/** Codes of {@link rpcErrors}. */
export type RpcErrorCode =
  | 'RPC_CLOSED'
  | 'RPC_CANCELLED'
  | 'RPC_DEADLINE'
  | 'RPC_HUNG'
  | 'RPC_MESSAGE_TOO_LARGE'
  | 'RPC_TOO_DEEP'
  | 'RPC_VALUE_UNSUPPORTED'
  | 'RPC_BAD_FRAME'
  | 'RPC_BAD_MESSAGE'
  | 'RPC_PARTIAL_FRAME'
  | 'RPC_PROTOTYPE_KEY'
  | 'RPC_OUT_OF_PROTOCOL'
  | 'RPC_TOO_MANY_CALLS'
  | 'RPC_TOO_MANY_BYTES'
  | 'RPC_CREDIT_EXCEEDED'
  | 'RPC_FLOOD'
  | 'RPC_TOO_FAR_AHEAD'
  | 'RPC_VERSION'
  | 'RPC_PEER_REFUSED'
  | 'RPC_LIMIT_INVALID'

const peerHint = 'Correct the program at the other end of the channel; docs/protocol.md says what it must send.'

/** Errors of a session: what ends a call, what a value cannot be, and what ends the whole session. */
export const rpcErrors: ErrorCatalogue<RpcErrorCode> = defineErrors('RPC', {
  RPC_CLOSED: {
    message: 'The session ended before {target} was answered.',
    status: 503,
    exit: 69,
    retryable: true,
    hint: 'Start the other side again, then repeat the call if it may run twice.',
  },
  RPC_CANCELLED: {
    message: 'The call of {target} was cancelled.',
    status: 499,
    exit: 75,
    retryable: false,
    hint: 'Repeat the call if it was not you who cancelled it.',
  },
  RPC_DEADLINE: {
    message: 'The deadline of {target} passed at {at}.',
    status: 504,
    exit: 75,
    retryable: true,
    hint: 'Give the call more time, or find out what the other side was waiting for.',
  },
  RPC_HUNG: {
    message: 'The other side did not answer a ping within {deadlineMs} ms.',
    status: 504,
    exit: 69,
    retryable: true,
    hint: 'Stop the other side: its event loop is blocked.',
  },
  RPC_MESSAGE_TOO_LARGE: {
    message: 'A message of {bytes} bytes is larger than the limit of {limit}.',
    status: 413,
    exit: 65,
    retryable: false,
    hint: 'Send large data as a stream of smaller items, or raise `messageBytes`.',
  },
  RPC_TOO_DEEP: {
    message: 'Arrays and objects are nested deeper than {limit}.',
    status: 422,
    exit: 65,
    retryable: false,
    hint: 'Flatten the value (a value that contains itself is endlessly deep), or raise `depth`.',
  },
  RPC_VALUE_UNSUPPORTED: {
    message: 'The value cannot cross a session: {path} is {what}.',
    status: 422,
    exit: 65,
    retryable: false,
    hint: 'Send JSON; bytes may be the value itself or a direct member of it, as a Uint8Array.',
  },
  RPC_BAD_FRAME: {
    message: 'The other side sent a malformed frame: {problem}.',
    status: 502,
    exit: 76,
    retryable: false,
    hint: peerHint,
  },
  RPC_BAD_MESSAGE: {
    message: 'The other side sent a malformed message: {problem}.',
    status: 502,
    exit: 76,
    retryable: false,
    hint: peerHint,
  },
  RPC_PARTIAL_FRAME: {
    message: 'A frame was still incomplete after {limit} ms.',
    status: 502,
    exit: 76,
    retryable: false,
    hint: peerHint,
  },
  RPC_PROTOTYPE_KEY: {
    message: 'The other side sent a value with the key `{key}`, which programs take for a prototype.',
    status: 502,
    exit: 76,
    retryable: false,
    hint: peerHint,
  },
  RPC_OUT_OF_PROTOCOL: {
    message: 'The other side broke the order of the protocol: {problem}.',
    status: 502,
    exit: 76,
    retryable: false,
    hint: peerHint,
  },
  RPC_TOO_MANY_CALLS: {
    message: 'The other side has more than {limit} calls in flight.',
    status: 502,
    exit: 76,
    retryable: false,
    hint: peerHint,
  },
  RPC_TOO_MANY_BYTES: {
    message: 'The calls of the other side in flight hold more than {limit} bytes.',
    status: 502,
    exit: 76,
    retryable: false,
    hint: peerHint,
  },
  RPC_CREDIT_EXCEEDED: {
    message: 'The other side sent a stream item without credit for it.',
    status: 502,
    exit: 76,
    retryable: false,
    hint: peerHint,
  },
  RPC_FLOOD: {
    message: 'The other side sends more than {limit} bytes a second that nobody asked for.',
    status: 502,
    exit: 76,
    retryable: false,
    hint: peerHint,
  },
  RPC_TOO_FAR_AHEAD: {
    message: 'The other side posted more than {limit} bytes ahead of what was read.',
    status: 502,
    exit: 76,
    retryable: false,
    hint: peerHint,
  },
  RPC_VERSION: {
    message: 'The other side speaks version {theirs} of the protocol, this side version {ours}.',
    status: 502,
    exit: 76,
    retryable: false,
    hint: 'Install versions of both sides that speak the same protocol version.',
  },
  RPC_PEER_REFUSED: {
    message: 'The other side ended the session: {reason}',
    status: 502,
    exit: 76,
    retryable: false,
    hint: 'Correct what this side sent; the cause says what the other side objected to.',
  },
  RPC_LIMIT_INVALID: {
    message: '`{name}` must be a whole number of at least {least}, not {given}.',
    status: 500,
    exit: 78,
    retryable: false,
    hint: 'Correct the limit where the session is made.',
  },
})
