import type { Command } from 'commander'
import type { History } from '../host-answers.ts'
import { pluginPath, show, type Runner } from '../session.ts'
import { tableText } from '@backplane/terminal'
import { examples } from './examples.ts'

/** Adds `history`. */
export function addHistory(program: Command, run: Runner): void {
  const history = program.command('history <plugin>').description('list the versions of a plugin that served or were to serve')
  examples(history, ['history libvirt', `history libvirt --json | jq '.entries[] | select(.outcome == "moved back")'`])
  history.action(
    run(async (session, id: string) => {
      const answer = (await session.api().get(`${pluginPath(id)}/history`)) as History
      show(session, answer, () =>
        tableText(answer.entries, [
          ['VERSION', ({ version }) => version],
          ['OUTCOME', ({ outcome }) => outcome],
          ['FROM', ({ from }) => from],
          ['TO', ({ to }) => to],
          ['DIGEST', ({ digest }) => digest?.slice(0, 19) ?? null],
          ['REASON', ({ reason }) => reason],
        ]),
      )
    }),
  )
}
