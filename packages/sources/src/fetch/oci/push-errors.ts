/** Errors of publishing; part of the catalogue of sources. */
export const pushErrors = {
  PUSH_INVALID: {
    message: '{reference} cannot be published: {problem}',
    status: 422,
    exit: 65,
    retryable: false,
    hint: 'Correct what is to be published; nothing of it has been sent.',
  },
  PUSH_EXISTS: {
    message: '{reference} is published already, with other contents ({digest})',
    status: 409,
    exit: 65,
    retryable: false,
    hint: 'Publish it under a new version; whoever has locked the old one would refuse it.',
  },
  PUSH_REFUSED: {
    message: '{place} does not take {what}: it answers {status}',
    status: 502,
    exit: 76,
    retryable: true,
    hint: 'Look at the log of {place}; it may be full, read-only, or take other artifacts only.',
  },
} as const
