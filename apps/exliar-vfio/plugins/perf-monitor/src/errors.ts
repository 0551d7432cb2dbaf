import { defineErrors, type ErrorCatalogue } from '@backplane/sdk'

const specs = {
  PERF_ARGUMENT_UNKNOWN: {
    message: 'perf does not take {argument}',
    status: 400,
    exit: 64,
    retryable: false,
    hint: 'Give the name of one machine, or nothing for all of them.',
  },
} as const

/** Every error this plugin raises. */
export const perfErrors: ErrorCatalogue<keyof typeof specs> = defineErrors('PERF', specs)
