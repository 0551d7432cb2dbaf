import { printable } from '@backplane/terminal'
import type { Command } from 'commander'
import { show, type Runner, type Session } from '../session.ts'
import { examples } from './examples.ts'

interface VerifyOptions {
  readonly policy?: string
}

interface Verification {
  readonly ok: boolean
  readonly problems: readonly { readonly id: string; readonly version: string; readonly digest: string }[]
}

/** Adds `verify`. */
export function addVerify(program: Command, run: Runner): void {
  const verify = program
    .command('verify [package]')
    .description('judge the package in a folder or an archive, without a host; without one, hash again what a host has installed')
    .option('--policy <file>', 'the trust policy to judge it by (default: one that trusts nobody)')
  examples(
    verify,
    ['verify', 'verify ./s3 --policy trust.json', 'verify s3-1.2.0.tgz --policy trust.json --json'],
    'Ends with 1 when something is changed or missing, or the package may not run.',
  )
  verify.action(
    run(async (session, path: string | undefined, { policy }: VerifyOptions) =>
      path === undefined
        ? verifyLock(session)
        : (await import('../offline/verify-package.ts')).verifyPackage(session, path, policy),
    ),
  )
}

async function verifyLock(session: Session): Promise<number> {
  const answer = (await session.api().change('/api/lock/verify', {})) as Verification
  show(session, answer, () =>
    answer.ok
      ? 'everything is as the lock says\n'
      : answer.problems
          .map(
            ({ id, version }) => `${printable(`${id} ${version}`)} is missing or changed; backplane install fetches it again\n`,
          )
          .join(''),
  )
  return answer.ok ? 0 : 1
}
