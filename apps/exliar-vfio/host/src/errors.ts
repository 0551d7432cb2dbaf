import { defineErrors, type ErrorCatalogue } from '@backplane/sdk'

const specs = {
  TREE_NOT_FOUND: {
    message: '{root} is no directory',
    status: 400,
    exit: 66,
    retryable: false,
    hint: 'Give --root a directory that holds etc, proc and sys, or leave it out for this machine.',
  },
  TREE_ESCAPES: {
    message: '{path} leads out of {root}',
    status: 422,
    exit: 65,
    retryable: false,
    hint: 'Look at the links of {path}: one climbs above the directory that --root names.',
  },
  TREE_UNREADABLE: {
    message: '{path} cannot be read: {reason}',
    status: 422,
    exit: 66,
    retryable: false,
    hint: 'Look at what {path} is and who may read it, or run exliar as root.',
  },
  TREE_FILE_TOO_LARGE: {
    message: '{path} is larger than {mostBytes} bytes',
    status: 422,
    exit: 65,
    retryable: false,
    hint: 'Look at what {path} is: a file of this kind is never that large.',
  },
  TREE_UNWRITABLE: {
    message: '{path} cannot be written: {reason}',
    status: 422,
    exit: 73,
    retryable: false,
    hint: 'Look at what {path} is and whether its file system can be written to, or run exliar as root.',
  },
} as const

/** Errors of `exliar`. */
export const exliarErrors: ErrorCatalogue<keyof typeof specs> = defineErrors('EXLIAR', specs)
