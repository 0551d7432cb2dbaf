import { didYouMean } from '@backplane/sdk'
import { CommanderError, type Command } from 'commander'
import { exliarErrors } from '../errors.ts'

/** A verb that has verbs of its own takes nothing else: a word too many was to be one of these. */
export function unlessUnknownVerb(error: unknown, program: Command): unknown {
  if (!(error instanceof CommanderError) || error.code !== 'commander.excessArguments') return error
  // Those above the verb that was meant have words too: its name first.
  const verb = allBelow(program).findLast(({ args }) => args.length > 0)
  if (verb === undefined || verb.commands.length === 0) return error
  const [word = ''] = verb.args
  const name = namesOf(verb).join(' ')
  const suggestion = didYouMean(
    word,
    verb.commands.map((one) => one.name()),
  )
  return exliarErrors.error('EXLIAR_USAGE', { reason: `${name} has no verb ${word}${suggestion}` }, { cause: error })
}

function allBelow({ commands }: Command): readonly Command[] {
  return commands.flatMap((command) => [command, ...allBelow(command)])
}

/** Without the program's own. */
function namesOf(command: Command): readonly string[] {
  return command.parent === null ? [] : [...namesOf(command.parent), command.name()]
}
