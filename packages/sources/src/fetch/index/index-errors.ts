/** Errors of static indexes; part of the catalogue of sources. */
export const indexErrors = {
  INDEX_UNSIGNED: {
    message: 'the index at {place} is signed by {count} of the {threshold} keys that must have signed it',
    status: 403,
    exit: 77,
    retryable: false,
    hint: 'Ask whoever publishes {place} for the key it is signed with, and compare it on another way than this one.',
  },
  INDEX_EXPIRED: {
    message: 'the index at {place} ran out at {expires}',
    status: 403,
    exit: 77,
    retryable: true,
    hint: 'Ask whoever publishes {place} to sign it again; somebody may be hiding a newer one.',
  },
  INDEX_ROLLED_BACK: {
    message: 'the index at {place} has version {version}, but version {known} was seen before',
    status: 403,
    exit: 77,
    retryable: false,
    hint: 'Ask another mirror of {place}; this one is behind or lying.',
  },
  INDEX_INVALID: {
    message: '{place}: {problem}',
    status: 502,
    exit: 76,
    retryable: false,
    hint: 'Ask whoever publishes {place} to write it again.',
  },
  INDEX_PATH_ESCAPES: {
    message: 'the index {index} names "{path}", which is no place in it',
    status: 403,
    exit: 65,
    retryable: false,
    hint: 'Do not use this index; report it to whoever publishes it.',
  },
  INDEX_AMBIGUOUS: {
    message: '{plugin} is in several indexes: {indexes}',
    status: 409,
    exit: 65,
    retryable: false,
    hint: 'Say which one is meant: {example}.',
  },
  INDEX_TAKEN: {
    message: 'the index has {plugin} {version} already, with other bytes',
    status: 409,
    exit: 65,
    retryable: false,
    hint: 'Give what changed another version; a version is published once.',
  },
  INDEX_MEMORY_INVALID: {
    message: '{path} does not say which indexes were seen: {problem}',
    status: 500,
    exit: 78,
    retryable: false,
    hint: 'Find out what damaged {path}; only then remove it, for without it older indexes are taken again.',
  },
} as const
