import { cleanupScript } from './cleanup-script.ts'
import { changesDirectory, cleanupScriptPath, type Changes } from './open-changes.ts'
import { changesIn } from './recorded-changes.ts'

/** Writes the script that takes back what stands, so that it knows it whatever happens next. Errors: `TREE_UNWRITABLE`. */
export async function writeCleanupScript({
  journal,
  ground,
  executors,
}: Pick<Changes, 'journal' | 'ground' | 'executors'>): Promise<void> {
  const owner = ground.tree.stat(changesDirectory)
  const marks = { mode: 0o700, uid: owner?.uid ?? 0, gid: owner?.gid ?? 0 }
  await ground.tree.write(
    cleanupScriptPath,
    cleanupScript(changesIn(journal), { executors, made: openedDirectories(journal) }),
    marks,
  )
  ground.atPoint('the script was written')
}

function openedDirectories({ records }: Changes['journal']): readonly string[] {
  const [opened] = records
  return opened?.type === 'opened' ? opened.made : []
}
