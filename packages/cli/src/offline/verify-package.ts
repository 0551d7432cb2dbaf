import { printable } from '@backplane/terminal'
import { verdictText } from '../installing/verdict-text.ts'
import { show, type Session } from '../session.ts'
import { judgePackage, readPolicyFile } from './judge-package.ts'

/** Judges a folder or an archive by a policy, or by one that trusts nobody; answers 1 when it may not run. Errors: those of {@link judgePackage}, and of the policy. */
export async function verifyPackage(session: Session, path: string, policyFile: string | undefined): Promise<number> {
  const policy = policyFile === undefined ? {} : await readPolicyFile(policyFile)
  const { id, version, fetched, verdict } = await judgePackage(path, policy)
  show(
    session,
    { id, version, digest: fetched.tree.digest, ...verdict },
    () => `${printable(`${id} ${version}`)} ${verdictText(session.terminal, verdict)}`,
  )
  return verdict.ok ? 0 : 1
}
