import type { Command } from 'commander'
import { pluginPath, type Runner } from '../session.ts'
import { examples } from './examples.ts'
import { showPlugin } from './plugins.ts'

/** Adds `pin` and `unpin`. */
export function addPin(program: Command, run: Runner): void {
  const pin = program
    .command('pin <plugin> [version]')
    .description('let only one version of a plugin serve, whatever the sources have (default: the one that serves)')
  examples(pin, ['pin libvirt', 'pin hypersdk/libvirt 1.4.2'])
  pin.action(
    run(async (session, id: string, version: string | undefined) =>
      showPlugin(session, await session.api().post(`${pluginPath(id)}/pin`, version === undefined ? {} : { version })),
    ),
  )
  const unpin = program.command('unpin <plugin>').description('take the pin off; newer versions come in again')
  examples(unpin, ['unpin libvirt'])
  unpin.action(run(async (session, id: string) => showPlugin(session, await session.api().post(`${pluginPath(id)}/unpin`))))
}
