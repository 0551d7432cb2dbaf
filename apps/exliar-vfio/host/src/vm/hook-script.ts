/** Exit code of `exliar vm-hook` that stops a start; any other failure is a broken exliar, and stops nothing by itself. */
export const refusedExitCode = 100

/** Line by which the script is known to be ours. */
const mark = '# exliar-vfio: libvirt hook, form 1'

/** How the script calls `exliar`. */
export interface HookScriptOptions {
  /** Program and arguments of `exliar vm-hook`, the program and every file among them absolute. */
  readonly command: readonly string[]
  /** True: a machine does not start where exliar is missing, breaks or does not answer. Default false: it starts, and it is said. */
  readonly isFailClosed?: boolean
  /** Longest that libvirt waits, in seconds; default 75, more than all of `HookLimits` together. */
  readonly deadlineSeconds?: number
}

/**
 * The script libvirt runs. It asks libvirt nothing (libvirt waits for it), and writes nothing to standard output (libvirt
 * would take it for XML).
 */
export function hookScript({ command, isFailClosed = false, deadlineSeconds = 75 }: HookScriptOptions): string {
  const files = command.filter((part) => part.startsWith('/'))
  return `#!/bin/sh
${mark}
# Written by exliar, which takes it away again with: exliar cleanup
# It must never ask libvirt anything: libvirt waits for it.

broken() {
  echo "exliar: $1; its plugins were not asked" >&2
  [ "$operation" = prepare ] && exit ${isFailClosed ? 1 : 0}
  exit 0
}

operation=$2
case "$2 $3" in
  'prepare begin' | 'started begin' | 'reconnect begin' | 'stopped end' | 'release end') ;;
  *) exit 0 ;;
esac
for file in ${files.map(quoted).join(' ')}; do
  [ -e "$file" ] || broken "$file is missing"
done
deadline=
command -v timeout >/dev/null && deadline='timeout -k 5 ${deadlineSeconds}'
$deadline ${command.map(quoted).join(' ')} "$@" >/dev/null
code=$?
case $code in
  0) exit 0 ;;
  ${refusedExitCode}) exit 1 ;;
  124 | 137) broken 'it took longer than ${deadlineSeconds} s' ;;
  *) broken "it ended with code $code" ;;
esac
`
}

/** Whether a script was written by us, in whichever version. */
export function isOurHook(script: string): boolean {
  return script.split('\n', 2)[1]?.startsWith('# exliar-vfio: libvirt hook') === true
}

function quoted(text: string): string {
  return `'${text.replaceAll("'", String.raw`'\''`)}'`
}
