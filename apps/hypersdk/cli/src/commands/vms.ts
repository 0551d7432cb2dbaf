import type { Command } from 'commander'
import type { Vm } from '../daemon-json.ts'
import { cliErrors } from '../errors.ts'
import { show, type Runner } from '../session.ts'
import { bytesText, listText, tableText } from '@backplane/terminal'
import { examples } from './examples.ts'

interface VmList {
  readonly vms: readonly Vm[]
}

const listExamples = ['vms list samples', `vms list lab --filter state=running --filter name='web-*' --filter tag.team=core`]
const getExamples = ['vms get samples sample-server.raw']
const searchExamples = ['vms search lab debian']
const filterNote =
  'Filters: name (shell pattern), state, power_state, location, min_memory_mb, min_cpus, tag.<key>; all must match.'

/** Adds `vms`. */
export function addVmCommands(program: Command, run: Runner): void {
  const vms = program.command('vms').description('virtual machines of a provider: its type, or one configured instance')
  examples(vms, [...listExamples, ...getExamples, ...searchExamples], filterNote)
  const list = vms
    .command('list <provider>')
    .description('list machines; every filter must match')
    .option('-f, --filter <key=value>', 'narrow the list; repeat for more', collect, [])
  examples(list, listExamples, filterNote)
  list.action(
    run(async (session, provider: string, { filter }: { filter: string[] }) => {
      const answer = (await session.api.get(path(provider), filterQuery(filter))) as VmList
      show(session, answer, () => vmTable(answer.vms))
    }),
  )
  const get = vms.command('get <provider> <vm>').description('show one machine by its id')
  examples(get, getExamples)
  get.action(
    run(async (session, provider: string, vm: string) => {
      const answer = await session.api.get(`${path(provider)}/${encodeURIComponent(vm)}`)
      show(session, answer, () => listText(Object.entries(answer as object)))
    }),
  )
  const search = vms.command('search <provider> <text...>').description('find machines by words, best first')
  examples(search, searchExamples)
  search.action(
    run(async (session, provider: string, words: string[]) => {
      const query = new URLSearchParams({ q: words.join(' ') })
      const answer = (await session.api.get(`${path(provider)}/search`, query)) as VmList
      show(session, answer, () => vmTable(answer.vms))
    }),
  )
}

function path(provider: string): string {
  return `/api/providers/${encodeURIComponent(provider)}/vms`
}

function collect(value: string, all: readonly string[]): string[] {
  return [...all, value]
}

function filterQuery(filters: readonly string[]): URLSearchParams {
  const query = new URLSearchParams()
  for (const filter of filters) {
    const at = filter.indexOf('=')
    if (at < 1) throw cliErrors.error('CLI_USAGE', { reason: `the filter ${filter} is not key=value` })
    const key = filter.slice(0, at)
    query.append(key === 'name' ? 'name_pattern' : key, filter.slice(at + 1))
  }
  return query
}

function vmTable(vms: readonly Vm[]): string {
  return tableText(vms, [
    ['ID', (vm) => vm.id],
    ['NAME', (vm) => vm.name],
    ['STATE', (vm) => vm.state],
    ['CPUS', (vm) => vm.num_cpus || null],
    ['MEMORY', (vm) => (vm.memory_mb > 0 ? bytesText(vm.memory_mb * 1_024 * 1_024) : null)],
    ['STORAGE', (vm) => (vm.storage_gb > 0 ? bytesText(vm.storage_gb * 1_024 ** 3) : null)],
    ['LOCATION', (vm) => vm.location || null],
  ])
}
