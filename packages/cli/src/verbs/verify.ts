import { readFile } from 'node:fs/promises'
import { judge, readPolicy, scanTree, type TrustPolicy } from '@backplane/trust'
import type { Command } from 'commander'
import { backplaneErrors } from '../errors.ts'
import type { Verdict } from '../host-answers.ts'
import { verdictText } from '../installing/verdict-text.ts'
import { readPackage } from '../offline/read-package.ts'
import { show, type Runner, type Session } from '../session.ts'
import { printable } from '@backplane/terminal'
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
      path === undefined ? verifyLock(session) : verifyPackage(session, path, policy),
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

async function verifyPackage(session: Session, path: string, policyFile: string | undefined): Promise<number> {
  const policy = policyFile === undefined ? {} : await readPolicyFile(policyFile)
  const { id, version, source, fetched } = await readPackage(path)
  const { tree, archive, attestations } = fetched
  const subject = {
    id,
    version,
    origin: 'external',
    source,
    digest: tree.digest,
    attestations,
    findings: scanTree(tree.files),
    ...(archive === undefined ? {} : { archive }),
  } as const
  const { ok, trust, publisher = null, rules } = judge(subject, policy, Date.now())
  const verdict: Verdict = {
    ok,
    trust,
    publisher,
    rules: rules.map(({ rule, outcome, reason, file = null, fix = null }) => ({ rule, outcome, reason, file, fix })),
  }
  show(
    session,
    { id, version, digest: tree.digest, ...verdict },
    () => `${printable(`${id} ${version}`)} ${verdictText(session.terminal, verdict)}`,
  )
  return ok ? 0 : 1
}

/** Errors: `BACKPLANE_FILE_UNREADABLE`, `BACKPLANE_FILE_INVALID`, those of the policy. */
async function readPolicyFile(path: string): Promise<TrustPolicy> {
  const text = await readFile(path, 'utf8').catch((error: unknown) => {
    const reason = String(Reflect.get(Object(error), 'code') ?? error)
    throw backplaneErrors.error('BACKPLANE_FILE_UNREADABLE', { path, reason }, { cause: error })
  })
  try {
    return readPolicy(JSON.parse(text))
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error)
    throw backplaneErrors.error('BACKPLANE_FILE_INVALID', {
      path,
      reason,
      hint: 'Correct it; docs/guide/trust.md shows what a policy holds.',
    })
  }
}
