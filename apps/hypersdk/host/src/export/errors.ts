import { defineErrors } from '@backplane/sdk'

/** Why an export did not come to be. Codes about the plugin's stream carry the plugin's id. */
// oxlint-disable-next-line typescript/explicit-module-boundary-types -- the codes are the type
export const exportErrors = defineErrors('EXPORT', {
  EXPORT_ID_INVALID: {
    message: 'The export id "{id}" cannot be part of a file name',
    status: 400, exit: 64, retryable: false,
    hint: 'Use 1 to 64 letters, digits, "_" and "-" as export id.',
  },
  EXPORT_FORMAT_UNSUPPORTED: {
    message: 'Exports in the format {format} are not written by this host',
    status: 422, exit: 64, retryable: false,
    hint: 'Ask for one of {supported}.',
  },
  EXPORT_TARGET_EXISTS: {
    message: '{path} exists already',
    status: 409, exit: 73, retryable: false,
    hint: 'Choose another output directory, or set the option overwrite to replace the file.',
  },
  EXPORT_TARGET_BUSY: {
    message: 'Another export is writing {path}',
    status: 409, exit: 75, retryable: true,
    hint: 'Wait for the other export to end, or choose another output directory.',
  },
  EXPORT_WRITE_FAILED: {
    message: 'Cannot write {path}: {reason}',
    status: 500, exit: 74, retryable: false,
    hint: 'Check that the directory exists on a working disk and that this user may write there.',
  },
  EXPORT_DISK_FULL: {
    message: 'No space left for {path}: up to {needed} more bytes are needed and {available} are free',
    status: 507, exit: 74, retryable: false,
    hint: 'Free space on the target file system or choose another output directory.',
  },
  EXPORT_NO_DISKS: {
    message: 'The provider exported {vm} without any disk',
    status: 502, exit: 76, retryable: false,
    hint: 'Check that the machine has a disk; if it has one, report this to the plugin author.',
  },
  EXPORT_INCOMPLETE: {
    message: 'Disk {disk} ended after {received} of {expected} bytes',
    status: 502, exit: 76, retryable: true,
    hint: 'Export again; if it fails at the same place, check the disk at its source.',
  },
  EXPORT_TOO_MUCH: {
    message: 'Disk {disk} was declared with {expected} bytes but reaches {received}',
    status: 502, exit: 76, retryable: false,
    hint: 'Report this to the plugin author.',
  },
  EXPORT_OUT_OF_ORDER: {
    message: 'Disk {disk} went on at byte {offset} instead of {expected}',
    status: 502, exit: 76, retryable: false,
    hint: 'Report this to the plugin author: bytes come in order, and zeros as a hole.',
  },
  EXPORT_UNKNOWN_DISK: {
    message: 'An item of kind {kind} is for the disk {disk}, which was not declared',
    status: 502, exit: 76, retryable: false,
    hint: 'Report this to the plugin author: a disk item comes first.',
  },
  EXPORT_DISK_REPEATED: {
    message: 'Disk {disk} was sent twice',
    status: 502, exit: 76, retryable: false,
    hint: 'Report this to the plugin author: each disk is declared once and sent in one piece.',
  },
  EXPORT_FORMAT_MISMATCH: {
    message: 'Disk {disk} should be {expected} but is {found}',
    status: 502, exit: 76, retryable: false,
    hint: 'Ask for a format the provider supports, or report this to the plugin author.',
  },
  EXPORT_NOT_SELF_CONTAINED: {
    message: 'Disk {disk} is a {format} file that needs another file: {reason}',
    status: 502, exit: 76, retryable: false,
    hint: 'Report this to the plugin author: the whole chain has to be merged into one file.',
  },
  EXPORT_LIMIT_EXCEEDED: {
    message: 'The export has {what}, more than the {limit} allowed',
    status: 502, exit: 76, retryable: false,
    hint: 'Report this to the plugin author: no machine is that large, and the limit is fixed.',
  },
  EXPORT_FILE_UNSAFE: {
    message: 'The file "{path}" of disk {disk} was refused: {reason}',
    status: 502, exit: 77, retryable: false,
    hint: 'Report this to the plugin author: it must be a plain, finished file in the staging directory.',
  },
  EXPORT_STALLED: {
    message: 'Nothing came from the provider for {seconds} seconds',
    status: 504, exit: 75, retryable: true,
    hint: 'Check that the provider answers, then export again.',
  },
  EXPORT_PLUGIN_LOST: {
    message: 'The plugin went away during the export: {reason}',
    status: 502, exit: 75, retryable: true,
    hint: 'Export again; the next attempt uses the version that serves then.',
  },
  EXPORT_MANIFEST_INVALID: {
    message: '{path} is not an artifact manifest: {reason}',
    status: 422, exit: 65, retryable: false,
    hint: 'Give the path of a .manifest.json file written by an export.',
  },
}) // prettier-ignore
