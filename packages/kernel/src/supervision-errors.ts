/** Errors of watching over plugins; part of the kernel's catalogue. */
export const supervisionErrors = {
  PLUGIN_QUARANTINED: {
    message: '{plugin} is in quarantine: {reason}',
    status: 503,
    exit: 69,
    retryable: false,
    hint: 'Look at the log of {plugin}, then release it or install another version.',
  },
  PLUGIN_NOT_QUARANTINED: {
    message: '{plugin} is not in quarantine: it is {state}',
    status: 409,
    exit: 65,
    retryable: false,
    hint: 'Release only what is quarantined; look at the record of {plugin}.',
  },
  PLUGIN_SUSPECTED: {
    message: 'the host ended while {plugin} {version} was starting in its process, so it is left out this once',
    status: 503,
    exit: 69,
    retryable: false,
    hint: 'Release {plugin} to try it again, or let it run in a process of its own.',
  },
  PLUGIN_FAIL_CLOSED: {
    message: '{point} is refused: {plugin} guards it with "{name}" and cannot run: {reason}',
    status: 503,
    exit: 69,
    retryable: true,
    hint: 'Repair {plugin}; while it is down, what it guards is refused.',
  },
  CALL_BREAKER_OPEN: {
    message: '{plugin} failed {failures} times in a row in {point} "{name}" and is not asked until {again}',
    status: 503,
    exit: 75,
    retryable: true,
    hint: 'Call again then; look at the log of {plugin} for the cause.',
  },
  NAMESPACE_LIMIT: {
    message: 'namespace {name} uses {used} of {most} {resource}; {amount} more are too many',
    status: 429,
    exit: 75,
    retryable: true,
    hint: 'Try again later, or raise {resource} of namespace {name}.',
  },
  NAMESPACE_UNKNOWN: {
    message: 'there is no namespace {name}{suggestion}',
    status: 404,
    exit: 66,
    retryable: false,
    hint: 'Use one of the namespaces given to createKernel, or default.',
  },
} as const
