import type { Command } from 'commander'
import type { Verdict } from '../host-answers.ts'
import { verdictText } from '../installing/verdict-text.ts'
import { pluginPath, show, type Runner } from '../session.ts'
import { listText, printable } from '@backplane/terminal'
import { examples } from './examples.ts'
import { addSignPolicy } from './sign-policy.ts'

/** Adds `trust`. */
export function addTrust(program: Command, run: Runner): void {
  const trust = program
    .command('trust')
    .description('show by what a host judges packages, or why one may run or may not; sign such a policy')
  examples(trust, ['trust show', 'trust why acme/s3', 'trust show --json > trust.json'])
  const policy = trust.command('show', { isDefault: true }).description('show the policy')
  examples(policy, ['trust show', `trust show --json | jq -r '.publishers[].name'`])
  policy.action(
    run(async (session) => {
      const answer = (await session.api().get('/api/trust')) as object
      const entries = Object.entries(answer)
      show(session, answer, () =>
        entries.length === 0 ? 'nobody is trusted: only what ships with the host runs\n' : listText(entries),
      )
    }),
  )
  addSignPolicy(trust, run)
  const why = trust.command('why <plugin>').description('show what each rule of the policy said about a plugin')
  examples(why, ['trust why acme/s3'], 'Ends with 1 when it may not run.')
  why.action(
    run(async (session, id: string) => {
      const answer = (await session.api().get(`${pluginPath(id)}/verdict`)) as {
        readonly id: string
        readonly verdict: Verdict | null
      }
      const { verdict } = answer
      show(session, answer, () =>
        verdict === null
          ? `${printable(answer.id)} was not judged yet: it has not been started\n`
          : verdictText(session.terminal, verdict),
      )
      return verdict?.ok === false ? 1 : 0
    }),
  )
}
