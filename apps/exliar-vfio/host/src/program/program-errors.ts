/** What the command line itself can go wrong with. */
export const programErrors = {
  EXLIAR_USAGE: {
    message: '{reason}',
    status: 400,
    exit: 2,
    retryable: false,
    hint: 'Look at `exliar --help`, or `exliar VERB --help`.',
  },
  EXLIAR_DEFECT: {
    message: 'exliar failed: {reason}',
    status: 500,
    exit: 70,
    retryable: false,
    hint: 'Report it with what you typed; `exliar status` shows whether anything was changed.',
  },
  VM_CONNECTION_UNSAID: {
    message: 'which libvirt is meant is not said: {root} is a copy, and machines run here',
    status: 400,
    exit: 2,
    retryable: false,
    hint: 'Write vm.connect into the configuration, such as connect = "qemu:///system", if it is the one of this machine.',
  },
  PLUGIN_FOLDER_NAMELESS: {
    message: '{folder} is no folder that a plugin could be named for',
    status: 400,
    exit: 2,
    retryable: false,
    hint: 'Name the folder that holds plugin.toml or plugin.json.',
  },
  EXLIAR_NOBODY_TO_ASK: {
    message: 'nobody sits at this terminal to be asked',
    status: 400,
    exit: 2,
    retryable: false,
    hint: 'Look at the plan first, then say --yes.',
  },
  EXLIAR_NO_TERMINAL: {
    message: 'there is no terminal to draw on',
    status: 400,
    exit: 2,
    retryable: false,
    hint: 'Run it where you can type, or use the verbs of `exliar --help`.',
  },
  APPLY_ROLLED_BACK: {
    message: '{reason}; what had been done was taken back',
    status: 409,
    exit: 70,
    retryable: false,
    hint: 'Mend what is named, then apply again; nothing of this attempt is left.',
  },
  APPLY_LEFT_SOMETHING: {
    message: '{reason}; not all that had been done could be taken back',
    status: 500,
    exit: 73,
    retryable: false,
    hint: 'Look at `exliar status`, mend what is named as kept, then run `exliar rollback`.',
  },
} as const
