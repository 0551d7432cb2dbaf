import { defineErrors, type ErrorCatalogue } from '@backplane/sdk'

const specs = {
  CLIENT_UNREACHABLE: {
    message: 'no host answers at {address} ({reason})',
    status: 503,
    exit: 69,
    retryable: true,
    hint: 'Start the host, or say where it is: by its unix socket, or by a URL.',
  },
  CLIENT_SOCKET_REFUSED: {
    message: 'the socket {address} belongs to another user',
    status: 403,
    exit: 77,
    retryable: false,
    hint: 'Run this as the user the host runs as, or use its URL with its token file.',
  },
  CLIENT_CONNECTION_LOST: {
    message: 'the connection to {address} was lost: {reason}',
    status: 503,
    exit: 75,
    retryable: true,
    hint: 'Try again.',
  },
  CLIENT_TIMEOUT: {
    message: '{address} did not answer within {seconds} s',
    status: 504,
    exit: 75,
    retryable: true,
    hint: 'Try again, or allow more time.',
  },
  CLIENT_TOKEN_EXPOSED: {
    message: 'the token for {address} would cross the network for everybody to read',
    status: 400,
    exit: 2,
    retryable: false,
    hint: 'Use https, or a tunnel that ends on this machine.',
  },
  CLIENT_CERTIFICATE_REFUSED: {
    message: 'the certificate of {address} is not trusted here ({reason})',
    status: 502,
    exit: 77,
    retryable: false,
    hint: 'Use the name that it is for, and name the certificate of its authority in NODE_EXTRA_CA_CERTS.',
  },
  CLIENT_ANSWER_INVALID: {
    message: '{address} answered something that is not a management API',
    status: 502,
    exit: 69,
    retryable: false,
    hint: 'Check the address: another program may be listening there.',
  },
} as const

/** What may come between a client and a host; errors of the host keep their own codes. */
export const clientErrors: ErrorCatalogue<keyof typeof specs> = defineErrors('CLIENT', specs)
