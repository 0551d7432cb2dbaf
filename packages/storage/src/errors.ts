import { defineErrors, type ErrorCatalogue } from '@backplane/sdk'

const specs = {
  STATE_QUOTA_EXCEEDED: {
    message: '{namespace} would hold {bytes} bytes; {quotaBytes} are allowed',
    status: 507,
    exit: 73,
    retryable: false,
    hint: 'Delete what is no longer needed, or raise limits.state.',
  },
  STORE_UNUSABLE: {
    message: 'the database {path} cannot be used: {reason}',
    status: 500,
    exit: 74,
    retryable: false,
    hint: 'Give the user the host runs as read and write permission on {path} and its folder.',
  },
  STORE_CORRUPT: {
    message: 'the database {path} is damaged: {reason}',
    status: 500,
    exit: 74,
    retryable: false,
    hint: 'Move {path} away and restore it from a backup; without one, start with an empty database.',
  },
  STORE_TOO_NEW: {
    message: 'the database {path} has format {found}; this version knows {known}',
    status: 500,
    exit: 78,
    retryable: false,
    hint: 'Run the version that wrote {path}, or a newer one.',
  },
  STORE_BUSY: {
    message: 'the database {path} is locked by another process',
    status: 503,
    exit: 75,
    retryable: true,
    hint: 'Stop the other process that uses {path}; a data directory belongs to one host.',
  },
  STORE_FULL: {
    message: 'the database {path} cannot grow: {reason}',
    status: 507,
    exit: 73,
    retryable: true,
    hint: 'Free space on the volume of {path}, or raise the limit of the store.',
  },
  STORE_GONE: {
    message: 'the database {path} was {what} while it was in use',
    status: 503,
    exit: 74,
    retryable: true,
    hint: 'Bring back the very file, and everything goes on; else restart the host, which begins with what is there then.',
  },
  AUDIT_UNWRITABLE: {
    message: 'the audit log cannot be written, so nothing is changed: {reason}',
    status: 503,
    exit: 75,
    retryable: true,
    hint: 'Free space on the volume of the audit log, or bring its directory back; then everything goes on by itself.',
  },
  AUDIT_KEY_UNUSABLE: {
    message: 'the key of the audit log {path} cannot be used: {reason}',
    status: 500,
    exit: 78,
    retryable: false,
    hint: 'Bring back the very key, in a file of mode 0600; a new one cannot prove what the old one wrote.',
  },
  AUDIT_UNREADABLE: {
    message: 'the audit log {path} cannot be read: {reason}',
    status: 500,
    exit: 66,
    retryable: false,
    hint: 'Name the directory of the audit log, or one of its files.',
  },
  SECRETS_EXPOSED: {
    message: '{path} can be read by others (mode {mode})',
    status: 500,
    exit: 78,
    retryable: false,
    hint: 'Run chmod go-rwx {path}.',
  },
  SECRETS_KEY_UNUSABLE: {
    message: 'the key of the secrets, {place}, cannot be used: {reason}',
    status: 500,
    exit: 78,
    retryable: false,
    hint: 'Bring back the key that the secrets were stored with; without it they are lost.',
  },
  SECRETS_KEY_WRONG: {
    message: '{path} was written with another key than {place}',
    status: 500,
    exit: 78,
    retryable: false,
    hint: 'Name the key that {path} was written with.',
  },
  SECRETS_FILE_DAMAGED: {
    message: 'the secrets in {path} cannot be read: {reason}',
    status: 500,
    exit: 65,
    retryable: false,
    hint: 'Restore {path} from a backup, or remove it and set the secrets anew.',
  },
  SECRETS_FILE_CHANGED: {
    message: 'the secrets in {path} were changed by something that has not their key',
    status: 500,
    exit: 65,
    retryable: false,
    hint: 'Find out who can write {path}; then restore it from a backup, or remove it and set the secrets anew.',
  },
  SECRETS_FILE_ROLLED_BACK: {
    message: '{path} is of generation {found}; generation {seen} has been seen',
    status: 500,
    exit: 65,
    retryable: false,
    hint: 'Bring back the newer file; if it is lost, remove {witness} to accept this one.',
  },
  SECRETS_FULL: {
    message: '{what} is larger than {limit} {unit}',
    status: 413,
    exit: 65,
    retryable: false,
    hint: 'Keep less in it, or large files elsewhere.',
  },
  SECRETS_BUSY: {
    message: '{path} is being changed by somebody else',
    status: 503,
    exit: 75,
    retryable: true,
    hint: 'Try again when that is done.',
  },
  SECRET_NAME_INVALID: {
    message: '"{name}" cannot be the name of a secret',
    status: 400,
    exit: 2,
    retryable: false,
    hint: 'Use letters, digits, dots, underscores and hyphens, 128 at most, beginning with a letter or digit.',
  },
  SECRET_UNKNOWN: {
    message: 'there is no secret "{name}"',
    status: 404,
    exit: 66,
    retryable: false,
    hint: 'List the names that there are.',
  },
  SECRET_COMMAND_FAILED: {
    message: 'the command {command} gave no secret "{name}": {reason}',
    status: 502,
    exit: 75,
    retryable: true,
    hint: 'Run the command by hand, with the environment that the settings name, and mend what it says.',
  },
  STORE_CLOSED: {
    message: 'the database {path} has been closed',
    status: 503,
    exit: 70,
    retryable: false,
    hint: 'Use the store only until it is disposed.',
  },
}

/** Codes of {@link storageErrors}. */
export type StorageErrorCode = keyof typeof specs

/** What can go wrong with a store on disk. */
export const storageErrors: ErrorCatalogue<StorageErrorCode> = defineErrors('STORE', specs)
