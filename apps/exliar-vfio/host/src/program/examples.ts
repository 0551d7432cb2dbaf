import type { Command } from 'commander'

/** Ends a command's help with examples, one a line, and what else is worth knowing. */
export function examples(command: Command, lines: readonly string[], note = ''): Command {
  const shown = lines.map((line) => `  exliar ${line}\n`).join('')
  return command.addHelpText('after', `\nExamples:\n${shown}${note === '' ? '' : `\n${note}`}`)
}
