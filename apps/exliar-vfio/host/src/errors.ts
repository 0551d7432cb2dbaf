import { defineErrors, type ErrorCatalogue } from '@backplane/sdk'

const specs = {
  TREE_NOT_FOUND: {
    message: '{root} is no directory',
    status: 400,
    exit: 66,
    retryable: false,
    hint: 'Give --root a directory that holds etc, proc and sys, or leave it out for this machine.',
  },
} as const

/** Errors of `exliar`. */
export const exliarErrors: ErrorCatalogue<keyof typeof specs> = defineErrors('EXLIAR', specs)
