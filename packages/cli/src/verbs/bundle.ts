import { printable } from '@backplane/terminal'
import type { Command } from 'commander'
import { breakable } from '../offline/breakable.ts'
import { saveBundle } from '../offline/made-bundle.ts'
import { show, type Runner } from '../session.ts'
import { examples } from './examples.ts'

/** Adds `bundle`. */
export function addBundle(program: Command, run: Runner): void {
  const bundle = program
    .command('bundle <file>')
    .description('write one file with everything the lock names, for machines without a network')
  examples(
    bundle,
    ['bundle plugins.bundle', 'add --bundle /media/usb/plugins.bundle', 'install --bundle /media/usb/plugins.bundle'],
    'There, `add --bundle` installs all of it as it was locked here, judged and approved anew; `install --bundle` takes from it what\na lock that is there already names. The same lock gives the same bytes: compare the digest.',
  )
  bundle.action(
    run(async (session, file: string) => {
      const made = await breakable(session.terminal, `${file} was not written`, (signal) => saveBundle(session, file, signal))
      const { digest, size_bytes: sizeBytes, plugins } = made
      show(
        session,
        { file, digest, size_bytes: sizeBytes, plugins },
        () => `${printable(`${file}: ${plugins.length} plugins, ${sizeBytes} bytes, ${digest}`)}\n`,
      )
    }),
  )
}
