import { Command } from 'commander'

/** Where a program writes. */
export interface CommandOutput {
  readonly out: (text: string) => void
  readonly err: (text: string) => void
  readonly colors: boolean
}

/**
 * The root of a command line that neither writes nor ends by itself: help goes where the program writes, the options of all
 * verbs are shown with each, and what is wrong is thrown, for `tellFailure` to tell.
 */
export function quietCommand(name: string, { out, err, colors }: CommandOutput): Command {
  return new Command(name)
    .helpOption('-h, --help', 'show help')
    .configureHelp({ showGlobalOptions: true })
    .configureOutput({
      writeOut: out,
      writeErr: err,
      getOutHasColors: () => colors,
      getErrHasColors: () => colors,
      outputError: () => undefined,
    })
    .exitOverride()
}
