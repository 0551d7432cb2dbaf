import { defineErrors, type ErrorCatalogue } from '@backplane/sdk'

const specs = {
  BACKPLANE_USAGE: {
    message: '{reason}',
    status: 400,
    exit: 2,
    retryable: false,
    hint: 'Run the verb with --help for examples.',
  },
  BACKPLANE_HOST_UNSAID: {
    message: 'it is not said which host is meant',
    status: 400,
    exit: 2,
    retryable: false,
    hint: 'Say where its API is: --socket, or --url with --token-file, or BACKPLANE_SOCKET or BACKPLANE_URL.',
  },
  BACKPLANE_URL_INVALID: {
    message: '{url} is not the URL of a host',
    status: 400,
    exit: 2,
    retryable: false,
    hint: 'Write it like http://127.0.0.1:8080.',
  },
  BACKPLANE_TOKEN_UNREADABLE: {
    message: 'the token file {path} cannot be read ({reason})',
    status: 401,
    exit: 77,
    retryable: false,
    hint: 'Name the token file of the host with --token-file; hosts log its path when they start.',
  },
  BACKPLANE_FILE_UNREADABLE: {
    message: '{path} cannot be read ({reason})',
    status: 404,
    exit: 66,
    retryable: false,
    hint: 'Check the path, and that you may read it.',
  },
  BACKPLANE_FILE_INVALID: {
    message: '{path} is not what is expected here: {reason}',
    status: 422,
    exit: 65,
    retryable: false,
    hint: '{hint}',
  },
  BACKPLANE_UNAPPROVED: {
    message: 'nobody approved what {plugins} would be allowed: {permissions}',
    status: 403,
    exit: 77,
    retryable: false,
    hint: 'Approve it at a terminal; without one name the permissions to `approve`, or to others a reviewed file with --grant-file. --yes approves nothing.',
  },
  BACKPLANE_PUSH_REFUSED: {
    message: '{package} is not published: {reason}',
    status: 403,
    exit: 77,
    retryable: false,
    hint: '{hint}',
  },
  BACKPLANE_BROKEN_OFF: {
    message: 'broken off: {left}',
    status: 499,
    exit: 130,
    retryable: true,
    hint: 'Run it again when you like.',
  },
  BACKPLANE_DECLINED: {
    message: 'it was not agreed to; nothing was changed',
    status: 409,
    exit: 1,
    retryable: false,
    hint: 'Run it again and answer y, or add --yes where nothing has to be approved.',
  },
  BACKPLANE_FILE_EXISTS: {
    message: '{path} is there already',
    status: 409,
    exit: 73,
    retryable: false,
    hint: 'Choose another name; a key is never written over.',
  },
  BACKPLANE_FILE_UNWRITABLE: {
    message: '{path} cannot be written ({reason})',
    status: 500,
    exit: 73,
    retryable: false,
    hint: 'Check the path, that you may write there, and that there is room.',
  },
  BACKPLANE_DEFECT: {
    message: 'backplane cannot go on: {reason}',
    status: 500,
    exit: 70,
    retryable: false,
    hint: 'Compare `backplane --version` with the version of the host; if they belong together, report this.',
  },
} as const

/** What the command line itself may say; errors of hosts keep their own codes. */
export const backplaneErrors: ErrorCatalogue<keyof typeof specs> = defineErrors('BACKPLANE', specs)
