/** Errors of bundles; part of the catalogue of sources. */
export const bundleErrors = {
  BUNDLE_INVALID: {
    message: '{place} is no bundle that can be believed: {problem}',
    status: 422,
    exit: 65,
    retryable: false,
    hint: 'Make it again with `backplane bundle`, and compare its digest on the way.',
  },
  BUNDLE_INCOMPLETE: {
    message: '{place} does not hold {missing}',
    status: 422,
    exit: 66,
    retryable: false,
    hint: 'Make it again on a machine that has all of the lock.',
  },
  BUNDLE_TOO_LARGE: {
    message: 'the bundle would be larger than {limitBytes} bytes',
    status: 413,
    exit: 65,
    retryable: false,
    hint: 'Raise the limit, or carry an index instead: `backplane mirror`.',
  },
  BUNDLE_ALONE: {
    message: '{reference} is a whole set of plugins and is not changed together with others',
    status: 422,
    exit: 64,
    retryable: false,
    hint: 'Add the bundle by itself, then the rest.',
  },
} as const
