import type { Command } from 'commander'
import { pluginPath, type Runner } from '../session.ts'
import { examples } from './examples.ts'
import { showPlugin } from './plugins.ts'

/** Adds `release`. */
export function addRelease(program: Command, run: Runner): void {
  const release = program.command('release <plugin>').description('let a plugin out of quarantine and forget its troubles')
  examples(release, ['release acme/vault'], 'Look first: `backplane why acme/vault`.')
  release.action(run(async (session, id: string) => showPlugin(session, await session.api().post(`${pluginPath(id)}/release`))))
}
