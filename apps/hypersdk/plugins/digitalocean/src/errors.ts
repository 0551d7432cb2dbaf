import { defineErrors, type ErrorCatalogue } from '@backplane/sdk'

const specs = {
  DIGITALOCEAN_SETTING_INVALID: {
    message: '{setting} {problem}',
    status: 422,
    exit: 78,
    retryable: false,
    hint: 'Correct {setting} of this provider instance.',
  },
  DIGITALOCEAN_TOKEN_REFUSED: {
    message: 'DigitalOcean does not accept the token: {reason}',
    status: 401,
    exit: 77,
    retryable: false,
    hint: 'Set metadata.token of this provider instance to a valid API token; one is made under API in the control panel.',
  },
  DIGITALOCEAN_FORBIDDEN: {
    message: 'the token may not do that: {reason}',
    status: 403,
    exit: 77,
    retryable: false,
    hint: 'Set metadata.token to a token with the scopes the README of this plugin names, or with full access.',
  },
  DIGITALOCEAN_NOT_FOUND: {
    message: 'there is no {what}',
    status: 404,
    exit: 66,
    retryable: false,
    hint: 'List the machines or snapshots and use an id from the answer.',
  },
  DIGITALOCEAN_RATE_LIMITED: {
    message: 'DigitalOcean takes no more requests from this token until {until}',
    status: 429,
    exit: 75,
    retryable: true,
    hint: 'Try again after {until}, or use a token of another account.',
  },
  DIGITALOCEAN_REFUSED: {
    message: 'DigitalOcean refused {request} ({status}): {reason}',
    status: 422,
    exit: 65,
    retryable: false,
    hint: 'Read the reason; it is what DigitalOcean itself answered.',
  },
  DIGITALOCEAN_UNAVAILABLE: {
    message: 'DigitalOcean did not answer {request}: {reason}',
    status: 502,
    exit: 69,
    retryable: true,
    hint: 'Look at status.digitalocean.com and at the network between here and {endpoint}.',
  },
  DIGITALOCEAN_ANSWER_INVALID: {
    message: 'the answer to {request} is not what the API promises: {reason}',
    status: 502,
    exit: 76,
    retryable: false,
    hint: 'Check that {endpoint} is the DigitalOcean API and no proxy answers for it.',
  },
  DIGITALOCEAN_ACTION_FAILED: {
    message: 'the {action} of droplet {id} failed at DigitalOcean',
    status: 502,
    exit: 70,
    retryable: true,
    hint: 'Look at the history of the droplet in the control panel, then try again.',
  },
  DIGITALOCEAN_EXPORT_IMPOSSIBLE: {
    message: 'droplet {id} cannot be exported: the DigitalOcean API offers no download of images or snapshots',
    status: 501,
    exit: 69,
    retryable: false,
    hint: 'Copy the disk from inside the droplet (for example `dd if=/dev/vda` over ssh from the recovery ISO), or take a snapshot to keep it at DigitalOcean.',
  },
} as const

/** Every error this plugin raises. */
export const digitalOceanErrors: ErrorCatalogue<keyof typeof specs> = defineErrors('DIGITALOCEAN', specs)
