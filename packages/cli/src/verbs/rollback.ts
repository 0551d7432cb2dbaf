import type { Command } from 'commander'
import { pluginPath, type Runner } from '../session.ts'
import { examples } from './examples.ts'
import { showPlugin } from './plugins.ts'

/** Adds `rollback`. */
export function addRollback(program: Command, run: Runner): void {
  const rollback = program
    .command('rollback <plugin>')
    .description('put an earlier version in the place of the one that serves')
    .option('--to <version>', 'a version of its history (default: the one before)')
  examples(
    rollback,
    ['rollback libvirt', 'rollback libvirt --to 1.4.2'],
    'It stays, also after a restart, until the sources have something new. Where it cannot start, what serves goes on.',
  )
  rollback.action(
    run(async (session, id: string, { to }: { readonly to?: string }) =>
      showPlugin(session, await session.api().post(`${pluginPath(id)}/rollback`, to === undefined ? {} : { to })),
    ),
  )
}
