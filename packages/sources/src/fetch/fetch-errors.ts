/** Errors of fetching; part of the catalogue of sources. */
export const fetchErrors = {
  FETCH_REFERENCE_INVALID: {
    message: '"{reference}" is no reference to a package: {problem}',
    status: 422,
    exit: 64,
    retryable: false,
    hint: 'Write it like {example}.',
  },
  FETCH_NOT_FOUND: {
    message: '{reference} leads to nothing: {reason}',
    status: 404,
    exit: 66,
    retryable: false,
    hint: 'Correct the name or the version that is asked for.',
  },
  FETCH_UNREACHABLE: {
    message: '{place} cannot be reached: {reason}',
    status: 502,
    exit: 69,
    retryable: true,
    hint: 'Look at the network and the address of {place}, then try again.',
  },
  FETCH_DENIED: {
    message: '{place} does not let us in: {reason}',
    status: 403,
    exit: 77,
    retryable: false,
    hint: 'Give credentials for {place} that may read the package.',
  },
  FETCH_ADDRESS_REFUSED: {
    message: '{place} is not fetched from: {reason}',
    status: 403,
    exit: 77,
    retryable: false,
    hint: 'Name {place} in the options of the fetcher, if it is to be trusted with that.',
  },
  FETCH_RESPONSE_INVALID: {
    message: '{place} answered with something else than was asked for: {problem}',
    status: 502,
    exit: 76,
    retryable: false,
    hint: 'Look at what {place} answers; it may be another service, or broken.',
  },
  FETCH_CHANGED: {
    message: '{place} is not what it was: {problem}',
    status: 409,
    exit: 65,
    retryable: false,
    hint: 'Do not install it before its publisher has said why it changed.',
  },
  FETCH_TOO_LARGE: {
    message: '{place} is larger than {limit}',
    status: 413,
    exit: 65,
    retryable: false,
    hint: 'Raise the limit of the fetcher, or ask for a smaller package.',
  },
} as const
