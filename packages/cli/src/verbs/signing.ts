import type { Command } from 'commander'
import type { Runner } from '../session.ts'
import { examples } from './examples.ts'

/** Adds `keygen` and `sign`. */
export function addSigning(program: Command, run: Runner): void {
  const keygen = program
    .command('keygen [name]')
    .description('make an Ed25519 key to sign packages with: <name>.key, for yourself alone, and <name>.pub, for policies')
  examples(keygen, ['keygen', 'keygen acme-release'], 'Whoever can read the .key can publish; keep it where nobody else does.')
  keygen.action(
    run(async (session, name: string | undefined) =>
      (await import('../offline/sign-package.ts')).makeKey(session, name ?? 'release'),
    ),
  )
  const sign = program
    .command('sign <package>')
    .description('sign the package in a folder or a .tgz; the signature goes into .backplane/ in it')
    .requiredOption('--key <file>', 'the private key, as keygen made it')
  examples(
    sign,
    ['sign ./s3 --key release.key', 'sign s3-1.2.0.tgz --key release.key'],
    'It is over every file of the package but those with a dot in front: sign last, and again after each change.',
  )
  sign.action(
    run(async (session, path: string, options: { readonly key: string }) =>
      (await import('../offline/sign-package.ts')).signAt(session, path, options),
    ),
  )
}
