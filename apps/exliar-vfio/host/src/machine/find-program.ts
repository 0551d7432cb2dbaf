import type { MachineTree } from './machine-tree.ts'

/** Where programs are looked for, in this order; the user's own PATH has no say in what runs as root. */
const directories = ['/usr/local/sbin', '/usr/local/bin', '/usr/sbin', '/usr/bin', '/sbin', '/bin']

/** `PATH` of every program that is run. */
export const programPath: string = directories.join(':')

/** Path of a program as the machine names it, links kept; undefined when the machine has none of that name. */
export function findProgram(tree: Pick<MachineTree, 'stat'>, name: string): string | undefined {
  const paths = name.includes('/') ? [name] : directories.map((directory) => `${directory}/${name}`)
  return paths.find((path) => isExecutable(tree, path))
}

function isExecutable(tree: Pick<MachineTree, 'stat'>, path: string): boolean {
  const found = tree.stat(path)
  return found?.kind === 'file' && (found.mode & 0o111) !== 0
}
