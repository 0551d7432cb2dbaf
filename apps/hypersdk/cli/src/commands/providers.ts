import type { Command } from 'commander'
import type { Provider } from '../daemon-json.ts'
import { show, type Runner, type Session } from '../session.ts'
import { listText, tableText } from '@backplane/terminal'
import { bareGroup } from './bare-group.ts'
import { examples } from './examples.ts'

/** Adds `providers`. */
export function addProviderCommands(program: Command, run: Runner): void {
  const providers = program.command('providers').description('what virtual machines can be exported from')
  examples(providers, ['providers', 'providers capabilities disk-images'])
  bareGroup(providers, run(listProviders))
  const list = providers.command('list').description('list provider types and their configured instances')
  examples(list, ['providers list', `providers list --json | jq -r '.providers[] | select(.available) | .type'`])
  list.action(run(listProviders))
  const capabilities = providers
    .command('capabilities <type>')
    .description('what one provider type can export; needs no credentials')
  examples(capabilities, ['providers capabilities disk-images', 'providers capabilities libvirt --json'])
  capabilities.action(
    run(async (session, type: string) => {
      const answer = await session.api.get(`/api/providers/${encodeURIComponent(type)}/capabilities`)
      show(session, answer, () => listText(Object.entries(answer as object)))
    }),
  )
}

async function listProviders(session: Session): Promise<void> {
  const answer = (await session.api.get('/api/providers')) as { providers: Provider[] }
  show(session, answer, () =>
    tableText(answer.providers, [
      ['TYPE', (one) => one.type],
      ['INSTANCES', (one) => one.instances.map(({ name }) => name).join(', ')],
      ['AVAILABLE', (one) => (one.available ? 'yes' : `no: ${one.reason ?? 'unknown'}`)],
      ['PLUGIN', (one) => one.plugin],
      ['VERSION', (one) => one.version],
    ]),
  )
}
