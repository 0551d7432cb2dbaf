/** What can be wrong with the program's configuration. */
export const configErrors = {
  SETTINGS_UNREADABLE: {
    message: 'the configuration {file} cannot be read: {reason}',
    status: 422,
    exit: 66,
    retryable: false,
    hint: 'Check the path and its permissions, or leave --config out to run with the defaults.',
  },
  SETTINGS_INVALID: {
    message: '{first}{more}',
    status: 422,
    exit: 78,
    retryable: false,
    hint: 'Correct it there; --json lists every problem, docs/guide/exliar.md every key.',
  },
} as const
