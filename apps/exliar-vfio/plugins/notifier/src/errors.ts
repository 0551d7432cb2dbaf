import { defineErrors, type ErrorCatalogue } from '@backplane/sdk'

const specs = {
  NOTIFIER_NOT_CONFIGURED: {
    message: 'no webhook is configured',
    status: 409,
    exit: 78,
    retryable: false,
    hint: 'Set webhook_url in the settings of exliar/notifier.',
  },
  NOTIFIER_SECRET_UNUSABLE: {
    message: 'the secret {name} does not fit into an address: {reason}',
    status: 422,
    exit: 78,
    retryable: false,
    hint: 'Store in {name} only what stands in the place of its handle in webhook_url.',
  },
  NOTIFIER_REDIRECTED: {
    message: '{origin} wants the message to go somewhere else ({status})',
    status: 502,
    exit: 76,
    retryable: false,
    hint: 'Set webhook_url to where {origin} leads, if you trust it.',
  },
  NOTIFIER_REFUSED: {
    message: '{origin} does not take the message ({status})',
    status: 502,
    exit: 76,
    retryable: false,
    hint: 'Look whether the webhook still exists, and whether its format is the one that {origin} wants.',
  },
  NOTIFIER_UNREACHABLE: {
    message: '{origin} did not take the message: {reason}',
    status: 503,
    exit: 69,
    retryable: true,
    hint: 'Look whether {origin} can be reached from this machine, then try again.',
  },
} as const

/** Every error this plugin raises. */
export const notifierErrors: ErrorCatalogue<keyof typeof specs> = defineErrors('NOTIFIER', specs)
