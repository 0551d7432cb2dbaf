import { didYouMean } from '@backplane/sdk'
import type { Command } from 'commander'
import { cliErrors } from '../errors.ts'

/** Gives a group of verbs something to do when it is called without one; a misspelt verb is still an error. */
export function bareGroup(group: Command, action: (...given: unknown[]) => Promise<void>): void {
  group.allowExcessArguments().action(async (options: unknown, command: Command) => {
    const [verb] = command.args
    if (verb !== undefined) {
      const nearest = didYouMean(
        verb,
        group.commands.map((one) => one.name()),
      )
      throw cliErrors.error('CLI_USAGE', { reason: `${group.name()} has no verb "${verb}"${nearest}` })
    }
    await action(options, command)
  })
}
