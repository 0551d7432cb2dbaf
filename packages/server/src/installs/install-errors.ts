/** Errors of installing over the API; part of the catalogue of the server. What a host's installer refuses has its own codes. */
export const installErrors = {
  SERVER_PLUGIN_BUILT_IN: {
    message: '`{id}` ships with the host and is not uninstalled.',
    status: 400,
    exit: 77,
    retryable: false,
    hint: 'Disable it instead.',
  },
  SERVER_PLUGIN_IN_USE: {
    message: '`{id}` is in use: {users}.',
    status: 409,
    exit: 75,
    retryable: true,
    hint: 'End or change what uses it, or remove it with force=true.',
  },
  SERVER_UPLOAD_INVALID: {
    message: 'The upload cannot be taken: {reason}.',
    status: 422,
    exit: 65,
    retryable: false,
    hint: 'Send multipart/form-data with the archive as the one field `plugin`, or the archive itself as application/gzip or application/zip.',
  },
  SERVER_UPLOAD_TOO_LARGE: {
    message: 'The archive is larger than {limitBytes} bytes.',
    status: 413,
    exit: 65,
    retryable: false,
    hint: 'Send a smaller package, or have the limit of the host raised.',
  },
  SERVER_PERMISSION_NOT_ASKED: {
    message: '`{id}` does not ask for `{permission}`{nearest}',
    status: 422,
    exit: 65,
    retryable: false,
    hint: 'Name permissions as `backplane permissions {id}` (`GET /api/plugins/{id}/permissions`) lists them.',
  },
  SERVER_PERMISSION_OF_UPDATE: {
    message: '`{id}` {version} does not ask for `{permission}`; {next}, which an update would bring, does',
    status: 422,
    exit: 65,
    retryable: false,
    hint: 'Run `backplane update {id}`, which asks for it; without a terminal, with it in a `--grant-file`; over the API, send it as `approvals` with `POST /api/plugins/{id}/update`.',
  },
  SERVER_BUNDLE_UNKNOWN: {
    message: 'There is no bundle {digest}.',
    status: 404,
    exit: 66,
    retryable: false,
    hint: 'Make one with POST /api/lock/bundle; only the last is kept.',
  },
  SERVER_FILES_KEPT: {
    message: 'The files of `{id}` are not deleted: {reason}.',
    status: 409,
    exit: 65,
    retryable: false,
    hint: 'Leave out deleteFiles, or delete the files yourself.',
  },
} as const
