import { readFile } from 'node:fs/promises'
import { printable } from '@backplane/terminal'
import { judge, readPolicy, scanTree, type TrustPolicy } from '@backplane/trust'
import { backplaneErrors } from '../errors.ts'
import type { Verdict } from '../host-answers.ts'
import { verdictText } from '../installing/verdict-text.ts'
import { show, type Session } from '../session.ts'
import { readPackage } from './read-package.ts'

/** Judges a folder or an archive by a policy, or by one that trusts nobody; answers 1 when it may not run. Errors: `BACKPLANE_FILE_UNREADABLE`, `BACKPLANE_FILE_INVALID`, those of packages. */
export async function verifyPackage(session: Session, path: string, policyFile: string | undefined): Promise<number> {
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
