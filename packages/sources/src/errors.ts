import { defineErrors, type ErrorCatalogue } from '@backplane/sdk'
import { bundleErrors } from './bundle/bundle-errors.ts'
import { fetchErrors } from './fetch/fetch-errors.ts'
import { pushErrors } from './fetch/oci/push-errors.ts'
import { indexErrors } from './fetch/index/index-errors.ts'
import { installErrors } from './install/install-errors.ts'
import { lockErrors } from './lock/lock-errors.ts'

const specs = {
  SOURCE_UNREADABLE: {
    message: '{path} cannot be read: {reason}',
    status: 500,
    exit: 74,
    retryable: true,
    hint: 'Give the user the host runs as read permission on {path}.',
  },
  SOURCE_LINK_SKIPPED: {
    message: '{path} is a symbolic link and was not followed',
    status: 422,
    exit: 65,
    retryable: false,
    hint: 'Copy the package into the plugin directory, or add the target itself as a plugin directory.',
  },
  SOURCE_TOO_DEEP: {
    message: '{path} lies more than {depth} folders below its plugin directory',
    status: 422,
    exit: 65,
    retryable: false,
    hint: 'Move the package higher up, or add {path} as a plugin directory.',
  },
  SOURCE_UNSETTLED: {
    message: '{path} has been changing for more than {seconds} s and is not listed yet',
    status: 409,
    exit: 75,
    retryable: true,
    hint: 'Let the copy finish, or find what keeps writing to {path}.',
  },
  SOURCE_MANIFEST_INVALID: {
    message: '{path}:{line}:{column}: {problem}',
    status: 422,
    exit: 65,
    retryable: false,
    hint: 'Correct line {line} of {path}; the folder is looked at again when it is saved.',
  },
  SOURCE_DIALECT_FAILED: {
    message: '{path} looks like a {dialect} package but cannot be read as one: {reason}',
    status: 422,
    exit: 65,
    retryable: false,
    hint: 'Correct the package, or put a plugin.json beside its code.',
  },
  SOURCE_CHANGED: {
    message: '{path} changed while it was being copied',
    status: 409,
    exit: 75,
    retryable: true,
    hint: 'Try again when nothing writes to {path} any more.',
  },
  SOURCE_TOO_LARGE: {
    message: '{path} holds more than {limit}',
    status: 413,
    exit: 65,
    retryable: false,
    hint: 'Leave out of the package what it does not need to run, or raise the limit of the source.',
  },
  SOURCE_UNSAFE_ENTRY: {
    message: '{path} is {kind}; a package holds only regular files and folders',
    status: 422,
    exit: 65,
    retryable: false,
    hint: 'Replace {path} by a regular file.',
  },
  SOURCE_ENTRY_MISSING: {
    message: 'the package at {path} has no {main}',
    status: 422,
    exit: 66,
    retryable: false,
    hint: 'Build the package, or set "main" to a file that is in it.',
  },
  SOURCE_STORE_UNSAFE: {
    message: 'the package store {path} {problem}',
    status: 500,
    exit: 78,
    retryable: false,
    hint: 'Make {path} a folder of the user the host runs as, with mode 0700.',
  },
  SOURCE_STORE_MISSING: {
    message: 'the bundled package {path} is a folder, and there is no store to load it from',
    status: 500,
    exit: 78,
    retryable: false,
    hint: 'Give bundled() a store directory.',
  },
  SOURCE_STORE_FAILED: {
    message: '{path} cannot be written: {reason}',
    status: 507,
    exit: 73,
    retryable: true,
    hint: 'Free space on the volume of {path} and check that the host may write there.',
  },
}

/** Codes of {@link sourceErrors}. */
export type SourceErrorCode =
  | keyof typeof specs
  | keyof typeof bundleErrors
  | keyof typeof fetchErrors
  | keyof typeof indexErrors
  | keyof typeof lockErrors
  | keyof typeof installErrors
  | keyof typeof pushErrors

/** What can go wrong between a place that holds packages and the store they are loaded from. */
export const sourceErrors: ErrorCatalogue<SourceErrorCode> = defineErrors('SOURCE', {
  ...specs,
  ...bundleErrors,
  ...fetchErrors,
  ...pushErrors,
  ...indexErrors,
  ...lockErrors,
  ...installErrors,
})
