import { defineErrors, type ErrorCatalogue } from '@backplane/sdk'

const specs = {
  CLI_TOKEN_UNREADABLE: {
    message: 'the token file {path} cannot be read ({reason})',
    status: 401,
    exit: 77,
    retryable: false,
    hint: 'Name the token file of the daemon with --token-file; the daemon logs its path when it starts.',
  },
  CLI_URL_INVALID: {
    message: '{url} is not the URL of a daemon',
    status: 400,
    exit: 2,
    retryable: false,
    hint: 'Write it like http://127.0.0.1:8080.',
  },
  CLI_USAGE: {
    message: '{reason}',
    status: 400,
    exit: 2,
    retryable: false,
    hint: 'Run the command with --help for examples.',
  },
  CLI_DEFECT: {
    message: 'hyperctl cannot go on: {reason}',
    status: 500,
    exit: 70,
    retryable: false,
    hint: 'Compare `hyperctl --version` with the version `hyperctl status` shows; if they are the same, report this.',
  },
  CLI_INPUT_UNREADABLE: {
    message: '{path} cannot be read ({reason})',
    status: 400,
    exit: 66,
    retryable: false,
    hint: 'Check the path, or use - for standard input.',
  },
} as const

/** What hyperctl itself may say; errors of the daemon keep their own codes. */
export const cliErrors: ErrorCatalogue<keyof typeof specs> = defineErrors('CLI', specs)
