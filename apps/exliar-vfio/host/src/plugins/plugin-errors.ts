/** Errors of what `exliar` does with plugins. */
export const pluginErrors = {
  HOOK_REFUSED: {
    message: '{plugin} refused the step {hook}: {reason}',
    status: 409,
    exit: 77,
    retryable: false,
    hint: 'Do what {plugin} asks for, or disable it: exliar plugins disable {plugin}.',
  },
  HOOK_FAILED: {
    message: '{plugin} failed in the step {hook}, so it was not taken: {reason}',
    status: 502,
    exit: 70,
    retryable: true,
    hint: 'Look at `exliar trace {hook}`, then update {plugin}, or disable it: exliar plugins disable {plugin}.',
  },
  DEVICE_UNKNOWN: {
    message: 'there is no device {bdf}',
    status: 404,
    exit: 66,
    retryable: false,
    hint: 'Look at the addresses in `exliar report`.',
  },
  CONFIG_TRUST_POLICY: {
    message: 'the trust policy {path} cannot be used: {reason}',
    status: 500,
    exit: 78,
    retryable: false,
    hint: 'Correct {path}; docs/guide/trust.md shows what a policy holds.',
  },
} as const
