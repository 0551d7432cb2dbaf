import { PlatformError } from '@backplane/sdk'
import { CommanderError } from 'commander'
import { highlight } from './highlight.ts'
import { printable, printableJson, printableLine } from './printable.ts'

/** A program's own words for what ended it. */
export interface FailureWords {
  readonly terminal: { readonly err: (text: string) => void; readonly colors: boolean }
  readonly json: boolean
  /** The error for arguments that make no sense. */
  readonly usage: (reason: string) => PlatformError
  /** The error for what should never have happened. */
  readonly defect: (reason: string, cause: unknown) => PlatformError
  /** Exit code of an error; undefined where nobody says one. */
  readonly exitOf: (error: PlatformError) => number | undefined
  /** What `--json` prints of it; default the error itself. */
  readonly asJson?: (error: PlatformError) => unknown
  /** What to do now; default the error's own hint. */
  readonly hintFor?: (error: PlatformError) => string | undefined
}

/** Exit code of what nobody gave one. Source: sysexits, EX_SOFTWARE. */
const softwareExit = 70
const usageExit = 2

/** Tells on the error output what ended the program, and answers its exit code. */
export function tellFailure(thrown: unknown, words: FailureWords): number {
  // Commander has written the help already, asked for or not.
  if (thrown instanceof CommanderError && thrown.exitCode === 0) return 0
  if (thrown instanceof CommanderError && thrown.code === 'commander.help') return usageExit
  const { terminal, json, exitOf, asJson = (one) => one, hintFor = ({ hint }) => hint } = words
  const error = platformError(thrown, words)
  if (json) terminal.err(`${printableJson(asJson(error))}\n`)
  else {
    const told = hintFor(error)
    const hint = told === undefined ? '' : `${printableLine(told)}\n`
    terminal.err(`${highlight(terminal, 'red', printable(error.code))}: ${printableLine(error.message)}\n${hint}`)
  }
  return exitOf(error) ?? softwareExit
}

function platformError(thrown: unknown, { usage, defect }: FailureWords): PlatformError {
  if (thrown instanceof PlatformError) return thrown
  const message = thrown instanceof Error ? thrown.message : String(thrown)
  // "error: unknown command 'x'", and on the next line "(Did you mean y?)"
  if (thrown instanceof CommanderError) return usage(message.replace(/^error: /, '').replaceAll('\n', ' '))
  return defect(message, thrown)
}
