import { defineErrors, type ErrorCatalogue } from '@backplane/sdk'
import { configErrors } from './config/config-errors.ts'
import { pluginErrors } from './plugins/plugin-errors.ts'
import { programErrors } from './program/program-errors.ts'
import { tomlErrors } from './toml/toml-errors.ts'
import { vmErrors } from './vm/vm-errors.ts'

const specs = {
  ...configErrors,
  ...pluginErrors,
  ...programErrors,
  ...tomlErrors,
  ...vmErrors,
  TREE_NOT_FOUND: {
    message: '{root} is no directory',
    status: 400,
    exit: 66,
    retryable: false,
    hint: 'Give --root a directory that holds etc, proc and sys, or leave it out for this machine.',
  },
  TREE_ESCAPES: {
    message: '{path} leads out of {root}',
    status: 422,
    exit: 65,
    retryable: false,
    hint: 'Look at the links of {path}: one climbs above the directory that --root names.',
  },
  TREE_UNREADABLE: {
    message: '{path} cannot be read: {reason}',
    status: 422,
    exit: 66,
    retryable: false,
    hint: 'Look at what {path} is and who may read it, or run exliar as root.',
  },
  TREE_FILE_TOO_LARGE: {
    message: '{path} is larger than {mostBytes} bytes',
    status: 422,
    exit: 65,
    retryable: false,
    hint: 'Look at what {path} is: a file of this kind is never that large.',
  },
  TREE_UNWRITABLE: {
    message: '{path} cannot be written: {reason}',
    status: 422,
    exit: 73,
    retryable: false,
    hint: 'Look at what {path} is and whether its file system can be written to, or run exliar as root.',
  },
  CONFIG_UNCLEAR: {
    message: '{path}, line {line}: {reason}',
    status: 422,
    exit: 65,
    retryable: false,
    hint: 'Write line {line} of {path} in a plainer way, or change it by hand: what is not understood is not edited.',
  },
  CONFIG_MISSING: {
    message: '{path} is missing: {reason}',
    status: 422,
    exit: 66,
    retryable: false,
    hint: 'Make {path} as the documentation of {owner} says, then plan again.',
  },
  BOOT_UNSUPPORTED: {
    message: 'the kernel parameters of the bootloader {bootloader} cannot be changed',
    status: 422,
    exit: 69,
    retryable: false,
    hint: 'Add the parameters by hand and plan with the bootloader left out.',
  },
  BOOT_PARAMETER_UNSAFE: {
    message: '"{parameter}" cannot stand in a bootloader\'s configuration without quotes',
    status: 422,
    exit: 65,
    retryable: false,
    hint: 'Use letters, digits and . , : = / + @ % ~ _ - in a kernel parameter.',
  },
  INITRAMFS_UNSUPPORTED: {
    message: 'the initial file system of {system} cannot be changed',
    status: 422,
    exit: 69,
    retryable: false,
    hint: 'Load the modules early by hand and plan with the initial file system left out.',
  },
  SELECTION_REFUSED: {
    message: '{selection} cannot be passed through: {reason}',
    status: 422,
    exit: 65,
    retryable: false,
    hint: 'Read the reasons, and take along what they name (--take-along, or t on the devices screen), let the screen go (--allow-boot-screen, or b on the plan screen), or choose another card.',
  },
  MODPROBE_CONFLICT: {
    message: '{path}, line {line} already sets {what} of vfio-pci',
    status: 409,
    exit: 65,
    retryable: false,
    hint: 'Take line {line} out of {path}, or keep it and do without exliar: only one of the two has an effect.',
  },
  BIND_REFUSED: {
    message: '{bdf} is not bound: {reason}',
    status: 409,
    exit: 69,
    retryable: false,
    hint: 'See in the report what {bdf} is and which group it is in.',
  },
  BIND_FAILED: {
    message: '{bdf} could not be given to {driver}: {reason}',
    status: 500,
    exit: 70,
    retryable: true,
    hint: 'Look at the last lines of the kernel log; {bdf} is as it was before.',
  },
  ATTRIBUTE_BLOCKED: {
    message: 'the kernel has not answered for {seconds} s what was written to {path}; process {pid} waits for it',
    status: 504,
    exit: 70,
    retryable: false,
    hint: 'End what uses the device, or start the machine again.',
  },
  BIND_BLOCKED: {
    message:
      '{bdf}: {what} for {seconds} s, and what the kernel was told cannot be taken back: end what uses the device (lsof /dev/dri/* /dev/nvidia*), or start the machine again; process {pid} waits for it, and so does whatever looks at the device',
    status: 504,
    exit: 70,
    retryable: false,
    hint: 'End what uses {bdf}, or start the machine again; then run `exliar rollback`.',
  },
  COMMAND_FAILED: {
    message: '{command} failed: {reason}',
    status: 500,
    exit: 70,
    retryable: true,
    hint: 'Read what it printed, mend that and apply again.',
  },
  STEP_UNKNOWN: {
    message: 'nothing here can do a step of kind {kind}',
    status: 500,
    exit: 70,
    retryable: false,
    hint: 'Plan again with this version of exliar.',
  },
  STEP_REFUSED: {
    message: '{plugin} refused it: {reason}',
    status: 409,
    exit: 69,
    retryable: false,
    hint: 'Do what {plugin} asks for, or disable it.',
  },
  PLAN_STALE: {
    message: 'what the plan was made from has changed since: {paths}',
    status: 409,
    exit: 75,
    retryable: true,
    hint: 'Plan again and read the new plan.',
  },
  CHANGES_BUSY: {
    message: 'process {pid} is changing this machine',
    status: 409,
    exit: 75,
    retryable: true,
    hint: 'Wait until it is done.',
  },
  CHANGE_DURING_APPLY: {
    message: '{plugin} may not change the machine while exliar applies or takes back what a person agreed to as it was shown',
    status: 409,
    exit: 75,
    retryable: false,
    hint: 'Let {plugin} propose it for the plan (applyQuirks of exliar.gpu-handler), or do it when the apply has ended, such as in a command.',
  },
  CHANGES_UNFINISHED: {
    message: 'an earlier run was interrupted in the middle',
    status: 409,
    exit: 75,
    retryable: true,
    hint: 'Run exliar rollback, which takes back what that run had done.',
  },
  JOURNAL_DAMAGED: {
    message: 'the journal {path} is damaged at line {line}: {reason}',
    status: 500,
    exit: 74,
    retryable: false,
    hint: 'Restore {path} from a backup, or take the changes back with the script cleanup.sh beside it.',
  },
} as const

/** Errors of `exliar`. */
export const exliarErrors: ErrorCatalogue<keyof typeof specs> = defineErrors('EXLIAR', specs)
