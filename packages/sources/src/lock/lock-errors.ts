/** Errors of the lock file; part of the catalogue of sources. */
export const lockErrors = {
  LOCK_INVALID: {
    message: '{path}:{line}:{column}: {problem}',
    status: 500,
    exit: 65,
    retryable: false,
    hint: 'Correct line {line} of {path}, or take the file back from version control.',
  },
  GRANTS_INVALID: {
    message: '{path}:{line}:{column}: {problem}',
    status: 500,
    exit: 65,
    retryable: false,
    hint: 'Correct {path}, or take the file back from version control.',
  },
  LOCK_TOO_NEW: {
    message: '{path} has format {found}; this version knows {known}',
    status: 500,
    exit: 78,
    retryable: false,
    hint: 'Run the version that wrote {path}, or a newer one.',
  },
  LOCK_BUSY: {
    message: 'another process has been changing {path} for more than {seconds} s',
    status: 409,
    exit: 75,
    retryable: true,
    hint: 'Wait until the other install is over, then try again.',
  },
  LOCK_CHANGED: {
    message: '{path} was changed after the plan was made',
    status: 409,
    exit: 75,
    retryable: true,
    hint: 'Make the plan again and look at it.',
  },
  LOCK_FAILED: {
    message: '{path} cannot be written: {reason}',
    status: 507,
    exit: 73,
    retryable: true,
    hint: 'Free space on the volume of {path} and check that the host may write there.',
  },
} as const
