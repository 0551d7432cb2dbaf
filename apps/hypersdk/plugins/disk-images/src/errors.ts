import { defineErrors, type ErrorCatalogue } from '@backplane/sdk'

const specs = {
  IMAGES_DIRECTORY_UNSET: {
    message: 'metadata.directory is {given}, and must be the absolute path of the directory that holds the images',
    status: 422,
    exit: 78,
    retryable: false,
    hint: 'Set metadata.directory of this provider instance to one absolute path; configure one instance for each directory.',
  },
  IMAGES_DIRECTORY_UNREADABLE: {
    message: 'the image directory {directory} cannot be read: {reason}',
    status: 502,
    exit: 74,
    retryable: false,
    hint: 'Check that {directory} exists, is a directory and is readable by the daemon, then reload the plugin.',
  },
  IMAGES_TOO_MANY: {
    message: '{directory} holds more than {limit} files',
    status: 422,
    exit: 65,
    retryable: false,
    hint: 'Split the images over several directories and configure one instance for each.',
  },
  IMAGES_NOT_FOUND: {
    message: 'there is no image {id}',
    status: 404,
    exit: 66,
    retryable: false,
    hint: 'List the machines and use an id from the answer.',
  },
  IMAGES_UNSAFE_ENTRY: {
    message: '{id} is not a plain file inside the image directory',
    status: 422,
    exit: 77,
    retryable: false,
    hint: 'Replace the link or special file by the image itself.',
  },
  IMAGES_UNRECOGNISED: {
    message: '{id} is no image: its bytes are those of none, and its name does not say raw',
    status: 422,
    exit: 65,
    retryable: false,
    hint: 'Check the file, or name it .raw when it holds the plain bytes of a disk.',
  },
  IMAGES_HEADER_DAMAGED: {
    message: '{id} says it is {format}, but its header is damaged: {reason}',
    status: 422,
    exit: 65,
    retryable: false,
    hint: 'Restore the image from a copy, or try `qemu-img check` on it.',
  },
  IMAGES_SIDECAR_INVALID: {
    message: '{file}: {reason}',
    status: 422,
    exit: 65,
    retryable: false,
    hint: 'Correct the file; the README of disk-images lists its keys.',
  },
  IMAGES_REFERENCE_OUTSIDE: {
    message: '{id} refers to {reference}, which is not a file inside the image directory',
    status: 422,
    exit: 77,
    retryable: false,
    hint: 'Flatten the image with `qemu-img convert`, or bring the file it needs into the directory.',
  },
  IMAGES_REFERENCE_UNSUPPORTED: {
    message: '{id} cannot be read on its own: {reason}',
    status: 422,
    exit: 65,
    retryable: false,
    hint: 'Flatten the image with the tool that made it, then export the result.',
  },
  IMAGES_FORMAT_UNSUPPORTED: {
    message: 'disk-images cannot export to {format}',
    status: 422,
    exit: 64,
    retryable: false,
    hint: 'Choose raw, qcow2, vmdk, vhd, vhdx or vdi.',
  },
  IMAGES_PROGRAM_MISSING: {
    message: 'exporting {from} as {to} needs qemu-img, which {reason}',
    status: 503,
    exit: 69,
    retryable: false,
    hint: 'Install the Debian package qemu-utils, or export in the format the image already has ({from}).',
  },
  IMAGES_PROGRAM_FAILED: {
    message: 'qemu-img failed on {id}: {reason}',
    status: 502,
    exit: 70,
    retryable: false,
    hint: 'Run `qemu-img check` on the image and look for free space in the staging directory.',
  },
  IMAGES_IN_USE: {
    message: '{id} is being written by another program',
    status: 409,
    exit: 75,
    retryable: true,
    hint: 'Shut the machine that uses the image down, or export a snapshot of it.',
  },
  IMAGES_CHANGED: {
    message: '{id} changed while it was exported',
    status: 409,
    exit: 75,
    retryable: true,
    hint: 'Stop what writes to the image, then export again.',
  },
} as const

/** Every error this plugin raises. */
export const imagesErrors: ErrorCatalogue<keyof typeof specs> = defineErrors('IMAGES', specs)
