import { defineErrors, type ErrorCatalogue } from '@backplane/sdk'

const specs = {
  RUNTIME_LOAD_FAILED: {
    message: '{plugin} could not be loaded: {reason}',
    status: 422,
    exit: 65,
    retryable: false,
    hint: 'Correct the code of {plugin}; its main module must import cleanly and export definePlugin(…) by default.',
  },
  RUNTIME_MIGRATE_FAILED: {
    message: '{plugin} could not bring its state from version {from} to {to}: {reason}',
    status: 422,
    exit: 70,
    retryable: false,
    hint: 'Correct the migrate function of {plugin}; what it stored before is untouched.',
  },
  RUNTIME_SETUP_FAILED: {
    message: 'setup of {plugin} failed: {reason}',
    status: 422,
    exit: 70,
    retryable: false,
    hint: 'Look at the log of {plugin}, correct what setup does or its settings, and reload it.',
  },
  RUNTIME_NOT_READY: {
    message: '{plugin} was not ready within {readyMs} ms',
    status: 504,
    exit: 70,
    retryable: true,
    hint: 'Do slow work at the first call instead of in setup, or give {plugin} more time to become ready.',
  },
  RUNTIME_EXITED: {
    message: '{plugin} is not running any more: {cause}',
    status: 502,
    exit: 70,
    retryable: true,
    hint: 'Start {plugin} again; its last lines are in its log.',
  },
  RUNTIME_CODE_UNSUPPORTED: {
    message: '{plugin} is a module in memory, and tier {tier} loads files only',
    status: 422,
    exit: 78,
    retryable: false,
    hint: 'Run {plugin} in the trusted tier, or ship it as a folder.',
  },
  RUNTIME_TARGET_UNKNOWN: {
    message: '{plugin} has no {target}',
    status: 404,
    exit: 70,
    retryable: false,
    hint: 'Call only what the instance lists as its contributions.',
  },
  RUNTIME_ANSWER_INVALID: {
    message: '{plugin} answered {target} with {found} instead of {expected}',
    status: 502,
    exit: 70,
    retryable: false,
    hint: 'Correct {target} in {plugin}.',
  },
  RUNTIME_REQUEST_INVALID: {
    message: '{plugin} asked its host for {what} without naming it as text',
    status: 422,
    exit: 65,
    retryable: false,
    hint: 'Give secret names and state keys as strings.',
  },
  RUNTIME_GRANT_UNUSABLE: {
    message: '{plugin} cannot be granted exactly {path}: a path must be absolute and hold no asterisk',
    status: 422,
    exit: 78,
    retryable: false,
    hint: 'Rename the directory, or grant one above it.',
  },
  RUNTIME_GRANT_TOO_WIDE: {
    message: '{plugin} cannot be granted to write {path}: it could put something else in the place of {what}',
    status: 422,
    exit: 78,
    retryable: false,
    hint: 'Grant a directory that holds neither the plugin nor its host.',
  },
  RUNTIME_SANDBOX_UNAVAILABLE: {
    message: '{plugin} must run in a sandbox of the operating system, and this machine builds none: {missing}',
    status: 422,
    exit: 78,
    retryable: false,
    hint: 'Install what is missing, or let policy waive "sandbox" for {plugin}.',
  },
  RUNTIME_PROFILE_FAILED: {
    message: '{plugin} could not be profiled: {reason}',
    status: 502,
    exit: 70,
    retryable: true,
    hint: 'Try again; where it fails again, look at the log of {plugin}.',
  },
  EGRESS_DENIED: {
    message: '{plugin} may not connect to {authority}: it {reason}',
    status: 403,
    exit: 77,
    retryable: false,
    hint: 'Let the manifest of {plugin} ask for "net:connect {authority}", and connect by exactly that name and port.',
  },
  EGRESS_BUSY: {
    message: '{plugin} has {connections} connections, and may not have more',
    status: 429,
    exit: 75,
    retryable: true,
    hint: 'Close or reuse connections, or give {plugin} more of them.',
  },
  EGRESS_BY_NAME: {
    message: '{name} is not resolved in a plugin: its host does that when it connects',
    status: 422,
    exit: 65,
    retryable: false,
    hint: 'Connect to {name} by its name.',
  },
  EGRESS_CLOSED: {
    message: "the plugin's way to the network is closed",
    status: 502,
    exit: 70,
    retryable: true,
    hint: 'Reload the plugin; its log says what it sent instead of HTTP/2.',
  },
  EGRESS_GRANT_INVALID: {
    message: '{plugin} cannot be granted net:connect {grant}: it is not host:port in its one exact spelling',
    status: 422,
    exit: 78,
    retryable: false,
    hint: 'Write the name without a closing dot, addresses as dotted decimals or bracketed IPv6, and the port without zeros.',
  },
  RUNTIME_DISPOSED: {
    message: 'tier {tier} is disposed and starts nothing',
    status: 503,
    exit: 75,
    retryable: false,
    hint: 'Make a new runtime.',
  },
  SCOPE_SETUP_OVER: {
    message: '{plugin} registered {point} "{name}" after its setup was over',
    status: 422,
    exit: 65,
    retryable: false,
    hint: 'Register everything before setup returns; await what it depends on.',
  },
  POINT_UNDECLARED: {
    message: '{plugin} registered {point} "{name}", which its manifest does not declare',
    status: 422,
    exit: 65,
    retryable: false,
    hint: 'Declare "{name}" under contributes["{point}"] in the manifest.',
  },
  POINT_REGISTERED_TWICE: {
    message: '{plugin} registered {point} "{name}" twice',
    status: 422,
    exit: 65,
    retryable: false,
    hint: 'Register "{name}" once, or declare a second name in the manifest.',
  },
} as const

/** Codes of {@link runtimeErrors}. */
export type RuntimeErrorCode = keyof typeof specs

/** The errors of running a plugin, on either side of its boundary. Codes are stable; each is provoked by a test. */
export const runtimeErrors: ErrorCatalogue<RuntimeErrorCode> = defineErrors('RUNTIME', specs)
