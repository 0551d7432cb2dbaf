import type { Executor, Executors } from './executor.ts'
import type { Change } from './recorded-changes.ts'
import { shellQuoted } from './shell-lines.ts'

/** What the script is made with. */
export interface ScriptOptions {
  readonly executors: Executors
  /** Directories that were made for the journal. */
  readonly made: readonly string[]
}

/**
 * A shell script that takes everything back without `exliar`, also from a rescue system: `cleanup.sh /mnt`. It looks at the
 * hash of each file before and after, and leaves alone what somebody else changed. Needs sh and coreutils.
 */
export function cleanupScript(changes: readonly Change[], { executors, made }: ScriptOptions): string {
  const open = changes.filter(({ state }) => state !== 'undone').toReversed()
  const told = ({ change, step }: Change): string => `# ${change}: ${step.summary.replaceAll('\n', ' ')}`
  const calls = open.flatMap((change): readonly string[] => {
    const { kind } = change.step
    if (kind === 'run-command') return []
    const executor: Pick<Executor, 'script'> | undefined = executors[kind]
    return [told(change), ...(executor?.script(change) ?? [])]
  })
  const commands = open.filter(({ step }) => step.kind === 'run-command')
  calls.push(...commands.map(told), ...executors['run-command'].scriptTogether(commands))
  const directories = made.toReversed().map((directory) => `  drop_directory ${shellQuoted(directory)}`)
  return `${head}\n${calls.join('\n')}\n\n${foot(directories)}`
}

const head = `#!/bin/sh
# Written by exliar: takes back what it changed, without exliar. As root:
#   sh cleanup.sh          on the machine itself
#   sh cleanup.sh /mnt     from a rescue system, with the machine's root file system mounted there
root=\${1:-}
root=\${root%/}
state=$root/var/lib/exliar-vfio
kept=0
# Room that was kept for this.
rm -f -- "$state/reserve"

say_kept() { echo "kept: $1"; kept=1; }
hash_of() { if [ -f "$1" ]; then sha256sum < "$1" | cut -c 1-64; else echo -; fi; }

# put_back PATH AFTER BEFORE MODE OWNER TIME
put_back() {
  rm -f -- "$root\${1%/*}/.\${1##*/}.exliar-unfinished"
  now=$(hash_of "$root$1")
  if [ "$now" = "$3" ]; then return; fi
  if [ "$2" != any ] && [ "$now" != "$2" ]; then say_kept "$1 was changed by somebody else"; return; fi
  if [ "$3" = - ]; then rm -f -- "$root$1"; return; fi
  if [ "$(hash_of "$state/backups/$3")" != "$3" ]; then say_kept "the backup of $1 is missing"; return; fi
  new="$root\${1%/*}/.\${1##*/}.exliar-unfinished"
  cp -- "$state/backups/$3" "$new" && chown "$5" "$new" && chmod "$4" "$new" && touch -d "@$6" "$new" && mv -f -- "$new" "$root$1"
  if [ "$(hash_of "$root$1")" != "$3" ]; then say_kept "$1 could not be put back"; fi
}
drop_directory() { rmdir -- "$root$1" 2>/dev/null || true; }
remake() {
  if [ -z "$root" ]; then "$@" || say_kept "$* failed: run it again"; else say_kept "run this in the machine: $*"; fi
}
`

function foot(directories: readonly string[]): string {
  return `if [ "$kept" = 0 ]; then
  rm -rf -- "$state"
${directories.length === 0 ? '  :' : directories.join('\n')}
  echo "everything is as it was before exliar"
fi
exit "$kept"
`
}
