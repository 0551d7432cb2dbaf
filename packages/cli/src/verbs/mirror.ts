import type { Command } from 'commander'
import { backplaneErrors } from '../errors.ts'
import type { MirrorOptions } from '../offline/write-mirror.ts'
import type { Runner } from '../session.ts'
import { examples } from './examples.ts'

/** Adds `mirror`. */
export function addMirror(program: Command, run: Runner): void {
  const mirror = program
    .command('mirror <directory> [plugins...]')
    .description('write a signed index with what the lock of the host names, or some of it, for others to install from')
    .option('--key <file>', 'the private key that signs it, as keygen made it')
    .option('--bundle <file>', 'take the packages from a bundle instead')
    .option('--from-index <url>', 'take them from another index, all its versions; its advisories as well')
    .option('--from-key <file>', 'the public key of that index')
    .option('--registry <url>', 'take them from a registry of npm: plugins are then npm:@acme/s3@^1.2')
    .option('--valid-days <days>', 'readers refuse it when it is older; run it again before', days, 30)
  examples(
    mirror,
    [
      'mirror /srv/mirror --key mirror.key',
      'mirror /srv/mirror acme/s3 --bundle plugins.bundle --key mirror.key',
      'mirror /srv/mirror --from-index https://plugins.acme.example/ --from-key acme.pub --key mirror.key',
      'mirror /srv/mirror npm:@acme/s3@^1.2 --registry https://npm.acme.example/ --key mirror.key',
    ],
    'What is there already stays, and is not fetched into it again; serve the directory as it is. No reader takes an index that nobody\nsigned, so without --key none is written.',
  )
  mirror.action(
    run(async (session, directory: string, ids: string[], options: MirrorOptions) =>
      (await import('../offline/write-mirror.ts')).mirrorTo(session, directory, ids, options),
    ),
  )
}

function days(text: string): number {
  const value = Number(text)
  if (Number.isInteger(value) && value >= 1 && value <= 366) return value
  const reason = `--valid-days ${text} is not a number of days from 1 to 366`
  throw backplaneErrors.error('BACKPLANE_USAGE', { reason })
}
