import { InvalidArgumentError, type Command } from 'commander'
import type { RootOptions, SignOptions } from '../offline/write-policy.ts'
import type { Runner } from '../session.ts'
import { examples } from './examples.ts'

/** Adds `root` and `sign` to `trust`. */
export function addSignPolicy(trust: Command, run: Runner): void {
  const root = trust
    .command('root')
    .description('write the first root of a signed policy: who may sign it. It is installed on each host by hand')
    .requiredOption('--key <files...>', 'public keys, as keygen made them, each named after its file')
    .option('--threshold <count>', 'how many of them must sign', count, 1)
    .option('--expires <days>', 'days until hosts take it no more', count, 365)
    .requiredOption('-o, --out <file>', 'where to')
  examples(root, [
    'trust root --key ops.pub --out trust-root.json',
    'trust root --key ops-a.pub ops-b.pub --threshold 2 -o root.json',
  ])
  root.action(
    run(async (session, options: RootOptions) => (await import('../offline/write-policy.ts')).writeRoot(session, options)),
  )
  const sign = trust
    .command('sign <policy>')
    .description('sign a version of a policy: hosts take it until it expires, and then only a newer one')
    .requiredOption('--key <files...>', 'private keys of those whom the root names')
    .requiredOption('--policy-version <number>', 'greater than that of every policy before it', count)
    .option('--expires <days>', 'days until hosts take it no more', count, 30)
    .requiredOption('-o, --out <file>', 'where to')
  examples(
    sign,
    ['trust sign trust.json --key ops.key --policy-version 7 --out policy.json'],
    'Name both files in the configuration of a host: plugins.trust_policy: { file: policy.json, root: trust-root.json }',
  )
  sign.action(
    run(async (session, file: string, options: SignOptions) =>
      (await import('../offline/write-policy.ts')).writePolicy(session, file, options),
    ),
  )
}

function count(text: string): number {
  if (/^[1-9]\d{0,8}$/.test(text)) return Number(text)
  throw new InvalidArgumentError('It must be a whole number of at least 1.')
}
