import { didYouMean } from '@backplane/sdk'
import { cliErrors } from '../errors.ts'

/** Reads an option's value as a whole number, 0 and up. Errors: `CLI_USAGE`. */
export function wholeNumber(option: string): (text: string) => string {
  return (text) => {
    if (/^\d{1,15}$/.test(text)) return text
    throw cliErrors.error('CLI_USAGE', { reason: `${option} ${text} is not a whole number` })
  }
}

/** Reads an option that may be given several values, each one of `known`. Errors: `CLI_USAGE` naming the nearest. */
export function someOf(
  option: string,
  known: readonly string[],
): (text: string, before?: readonly string[]) => readonly string[] {
  return (text, before = []) => {
    if (known.includes(text)) return [...before, text]
    const reason = `${option} ${text} is none of ${known.join(', ')}${didYouMean(text, known)}`
    throw cliErrors.error('CLI_USAGE', { reason })
  }
}
