/** Errors of calls; part of the kernel's catalogue. */
export const callErrors = {
  CALL_INPUT_INVALID: {
    message: '{point}.{method} was called with a value it does not take: {path} {problem}',
    status: 422,
    exit: 65,
    retryable: false,
    hint: 'Correct {path} of the value.',
  },
  CALL_OUTPUT_INVALID: {
    message: '{plugin} answered {point}.{method} with a value that is not as promised: {path} {problem}',
    status: 502,
    exit: 70,
    retryable: false,
    hint: 'Report this to the author of {plugin}.',
  },
  CALL_DEADLINE: {
    message: '{plugin} did not finish {point}.{method} within {deadlineMs} ms ({limit})',
    status: 504,
    exit: 75,
    retryable: true,
    hint: 'Call again, or raise {limit}.',
  },
  CALL_QUEUE_FULL: {
    message: '{plugin} has {concurrency} calls running and {queue} waiting',
    status: 429,
    exit: 75,
    retryable: true,
    hint: 'Call again later, or raise the limits of {plugin}.',
  },
  CALL_FAILED: {
    message: '{plugin} failed in {point}.{method}: {reason}',
    status: 502,
    exit: 70,
    retryable: false,
    hint: 'Look at the log of {plugin}.',
  },
  CALL_DRAINED: {
    message: '{plugin} was stopped ({reason}) and {point}.{method} did not finish within {waitedMs} ms',
    status: 503,
    exit: 75,
    retryable: true,
    hint: 'Call again, or hold a lease for work that takes long.',
  },
  CALL_METHOD_MISSING: {
    message: '{plugin} does not supply the optional method {method} of {point} "{name}"',
    status: 501,
    exit: 69,
    retryable: false,
    hint: 'Ask has("{method}") first.',
  },
  CALL_INSTANCE_UNKNOWN: {
    message: '{plugin} used {point} "{name}" instance {instance}, which it has not opened or has closed',
    status: 410,
    exit: 70,
    retryable: false,
    hint: 'Open the provider and use the client that open answers.',
  },
} as const
