import { defineErrors, type ErrorCatalogue, type ErrorSpec } from '@backplane/sdk'

/** Codes of {@link archiveErrors}. */
export type ArchiveErrorCode =
  | 'ARCHIVE_UNREADABLE'
  | 'ARCHIVE_FORMAT_UNKNOWN'
  | 'ARCHIVE_EMPTY'
  | 'ARCHIVE_TRUNCATED'
  | 'ARCHIVE_CORRUPT'
  | 'ARCHIVE_TRAILING_DATA'
  | 'ARCHIVE_SECOND_MEMBER'
  | 'ARCHIVE_HEADER_INVALID'
  | 'ARCHIVE_HEADERS_DISAGREE'
  | 'ARCHIVE_LAYOUT'
  | 'ARCHIVE_EXTENSION'
  | 'ARCHIVE_ZIP64'
  | 'ARCHIVE_ENCRYPTED'
  | 'ARCHIVE_METHOD'
  | 'ARCHIVE_LINK'
  | 'ARCHIVE_SPECIAL'
  | 'ARCHIVE_SPARSE'
  | 'ARCHIVE_SET_ID'
  | 'ARCHIVE_PATH_ENCODING'
  | 'ARCHIVE_PATH_EMPTY'
  | 'ARCHIVE_PATH_ABSOLUTE'
  | 'ARCHIVE_PATH_ESCAPES'
  | 'ARCHIVE_PATH_DOT'
  | 'ARCHIVE_PATH_BACKSLASH'
  | 'ARCHIVE_PATH_CONTROL'
  | 'ARCHIVE_PATH_CHARACTER'
  | 'ARCHIVE_PATH_ENDING'
  | 'ARCHIVE_PATH_RESERVED'
  | 'ARCHIVE_PATH_NOT_NFC'
  | 'ARCHIVE_PATH_TOO_LONG'
  | 'ARCHIVE_PATH_TOO_DEEP'
  | 'ARCHIVE_DUPLICATE'
  | 'ARCHIVE_TWIN'
  | 'ARCHIVE_FILE_AND_FOLDER'
  | 'ARCHIVE_TOO_LARGE'
  | 'ARCHIVE_FILE_TOO_LARGE'
  | 'ARCHIVE_CONTENTS_TOO_LARGE'
  | 'ARCHIVE_TOO_MANY_FILES'
  | 'ARCHIVE_TOO_MANY_FOLDERS'
  | 'ARCHIVE_RATIO'
  | 'ARCHIVE_HEADER_TOO_LARGE'
  | 'ARCHIVE_PADDING_TOO_LARGE'
  | 'ARCHIVE_NO_TOP_FOLDER'
  | 'ARCHIVE_CHANGED'
  | 'ARCHIVE_STAGING_FAILED'

const refused = { status: 422, exit: 65, retryable: false } as const
const tooLarge = { status: 413, exit: 65, retryable: false } as const

const packAgain = 'Pack it again with `npm pack`, `tar --format=pax -czf` or `zip -X`.'
const rename = 'Rename {entry} in the package and pack it again.'
const fetchAgain = 'Fetch the archive again and compare its checksum with the one its publisher gives.'
const leaveOut = 'Leave out of the package what it does not need to run, or raise the limit {limit}.'
const report = 'Do not use this archive; report it to whoever published it.'

const specs: Readonly<Record<ArchiveErrorCode, ErrorSpec>> = {
  ARCHIVE_UNREADABLE: {
    message: '{path} cannot be read: {reason}',
    status: 500,
    exit: 66,
    retryable: true,
    hint: 'Check that {path} is a file the host may read.',
  },
  ARCHIVE_FORMAT_UNKNOWN: {
    message: 'this is neither a .tgz nor a .zip archive: it begins with {found}',
    ...refused,
    hint: 'Give an archive made by `npm pack`, `tar -czf` or `zip`; one with anything before it is none.',
  },
  ARCHIVE_EMPTY: { message: 'there is no file in the archive', ...refused, hint: packAgain },
  ARCHIVE_TRUNCATED: { message: '{entry} ends before it is complete', ...refused, hint: fetchAgain },
  ARCHIVE_CORRUPT: { message: '{entry} is damaged: {problem}', ...refused, hint: fetchAgain },
  ARCHIVE_TRAILING_DATA: { message: 'something follows the end of the archive', ...refused, hint: report },
  ARCHIVE_SECOND_MEMBER: { message: 'a second gzip member follows the first', ...refused, hint: report },
  ARCHIVE_HEADER_INVALID: { message: 'the header of {entry} is not of the plain form: {problem}', ...refused, hint: packAgain },
  ARCHIVE_HEADERS_DISAGREE: { message: 'two headers of {entry} disagree about its {field}', ...refused, hint: report },
  ARCHIVE_LAYOUT: { message: '{entry} {problem}', ...refused, hint: report },
  ARCHIVE_EXTENSION: { message: '{entry} uses {extension}, which is not interpreted here', ...refused, hint: packAgain },
  ARCHIVE_ZIP64: {
    message: '{entry} uses Zip64, which nothing within the limits needs',
    ...refused,
    hint: 'Pack it again into a file rather than into a pipe.',
  },
  ARCHIVE_ENCRYPTED: { message: '{entry} is encrypted', ...refused, hint: 'Pack it again without a password.' },
  ARCHIVE_METHOD: {
    message: '{entry} is compressed by method {method}',
    ...refused,
    hint: 'Pack it again with `zip -X`, which deflates.',
  },
  ARCHIVE_LINK: {
    message: '{entry} is a {kind} link; a package holds only regular files and folders',
    ...refused,
    hint: 'Put the file itself in the place of {entry}.',
  },
  ARCHIVE_SPECIAL: {
    message: '{entry} is a {kind}; a package holds only regular files and folders',
    ...refused,
    hint: 'Leave {entry} out of the package.',
  },
  ARCHIVE_SPARSE: { message: '{entry} is stored as a sparse file', ...refused, hint: 'Pack it again without `--sparse`.' },
  ARCHIVE_SET_ID: {
    message: '{entry} has the set-user-id or set-group-id bit',
    ...refused,
    hint: 'Take the bit away (`chmod ug-s`) and pack it again.',
  },
  ARCHIVE_PATH_ENCODING: {
    message: 'the name {entry} is not UTF-8, or not said to be',
    ...refused,
    hint: 'Give it a name in ASCII, or pack it again with `npm pack`, `tar --format=pax -czf` or `python3 -m zipfile -c`.',
  },
  ARCHIVE_PATH_EMPTY: { message: 'the path {entry} is empty, or a part of it is', ...refused, hint: packAgain },
  ARCHIVE_PATH_ABSOLUTE: { message: 'the path {entry} is absolute', ...refused, hint: report },
  ARCHIVE_PATH_ESCAPES: { message: 'the path {entry} leads out of the package', ...refused, hint: report },
  ARCHIVE_PATH_DOT: {
    message: 'a part of the path {entry} is "."',
    ...refused,
    hint: 'Pack the folder itself or name what is in it, rather than ".".',
  },
  ARCHIVE_PATH_BACKSLASH: { message: 'the path {entry} holds a backslash', ...refused, hint: rename },
  ARCHIVE_PATH_CONTROL: { message: 'the path {entry} holds a control or invisible character', ...refused, hint: rename },
  ARCHIVE_PATH_CHARACTER: {
    message: 'the path {entry} holds one of < > : " | ? *, which some systems do not take',
    ...refused,
    hint: rename,
  },
  ARCHIVE_PATH_ENDING: { message: 'a part of the path {entry} ends with a dot or a space', ...refused, hint: rename },
  ARCHIVE_PATH_RESERVED: {
    message: 'a part of the path {entry} is the name of a device on some systems',
    ...refused,
    hint: rename,
  },
  ARCHIVE_PATH_NOT_NFC: { message: 'the path {entry} is not in Unicode normal form C', ...refused, hint: rename },
  ARCHIVE_PATH_TOO_LONG: {
    message: 'the path {entry} has more than {bytes} bytes{where}',
    ...tooLarge,
    hint: 'Shorten {entry}, or raise the limit {limit}.',
  },
  ARCHIVE_PATH_TOO_DEEP: {
    message: '{entry} lies more than {folders} folders deep',
    ...tooLarge,
    hint: 'Move {entry} higher up, or raise the limit depth.',
  },
  ARCHIVE_DUPLICATE: { message: '{entry} is in the archive twice', ...refused, hint: report },
  ARCHIVE_TWIN: { message: '{entry} and {other} are the same name on some systems', ...refused, hint: rename },
  ARCHIVE_FILE_AND_FOLDER: { message: '{entry} is both a file and a folder', ...refused, hint: report },
  ARCHIVE_TOO_LARGE: { message: 'the archive has more than {bytes} bytes', ...tooLarge, hint: leaveOut },
  ARCHIVE_FILE_TOO_LARGE: { message: '{entry} has more than {bytes} bytes', ...tooLarge, hint: leaveOut },
  ARCHIVE_CONTENTS_TOO_LARGE: {
    message: 'the files in the archive have more than {bytes} bytes, counted to {entry}',
    ...tooLarge,
    hint: leaveOut,
  },
  ARCHIVE_TOO_MANY_FILES: {
    message: 'there are more than {files} files in the archive, counted to {entry}',
    ...tooLarge,
    hint: leaveOut,
  },
  ARCHIVE_TOO_MANY_FOLDERS: {
    message: 'there are more than {folders} folders in the archive, counted to {entry}',
    ...tooLarge,
    hint: leaveOut,
  },
  ARCHIVE_RATIO: { message: 'the archive unpacks to more than {ratio} times its size', ...tooLarge, hint: leaveOut },
  ARCHIVE_HEADER_TOO_LARGE: { message: 'the headers of {entry} have more than {bytes} bytes', ...tooLarge, hint: packAgain },
  ARCHIVE_PADDING_TOO_LARGE: {
    message: 'more than {bytes} empty bytes follow the end of the archive',
    ...tooLarge,
    hint: packAgain,
  },
  ARCHIVE_NO_TOP_FOLDER: {
    message: 'not everything in the archive lies in one folder: {entry} does not',
    ...refused,
    hint: 'Pack the folder of the package, as `npm pack` does, or ask for it without taking a folder away.',
  },
  ARCHIVE_CHANGED: {
    message: '{entry} is no longer what it was when the archive was listed',
    status: 409,
    exit: 75,
    retryable: true,
    hint: 'Leave the bytes of an archive alone until it is staged, and read it again.',
  },
  ARCHIVE_STAGING_FAILED: {
    message: 'the archive cannot be written to {path}: {reason}',
    status: 507,
    exit: 73,
    retryable: true,
    hint: 'Free space on the volume of {path} and check that the host may write there.',
  },
}

/** Why an archive is not taken. `{entry}` is a name in the archive as {@link shownName} writes it, also in `details.entry`. */
export const archiveErrors: ErrorCatalogue<ArchiveErrorCode> = defineErrors('ARCHIVE', specs)
