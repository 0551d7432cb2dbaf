import { spawnSync } from 'node:child_process'
import { accessSync, constants } from 'node:fs'
import { delimiter, join } from 'node:path'

/** Where programs are looked for when the host's PATH lacks the usual places. */
const usualPath = ['/usr/local/bin', '/usr/bin', '/bin', '/usr/sbin', '/sbin']

/** The path of a program as the host finds it, or undefined. */
export function findProgram(name: string): string | undefined {
  const directories = new Set([...(process.env['PATH'] ?? '').split(delimiter), ...usualPath])
  return [...directories]
    .filter((directory) => directory.startsWith('/'))
    .map((directory) => join(directory, name))
    .find(isExecutable)
}

let launcher: { readonly path: string | undefined } | undefined

/**
 * `setpriv` (Debian: util-linux), when it is there and can tie a process to its parent's life. Looked for once; that
 * takes two milliseconds.
 */
export function findLauncher(): string | undefined {
  launcher ??= { path: workingLauncher(findProgram('setpriv')) }
  return launcher.path
}

function workingLauncher(path: string | undefined): string | undefined {
  if (path === undefined) return undefined
  const { status } = spawnSync(path, ['--pdeathsig', 'KILL', '--', path, '--version'], { env: {}, timeout: 5_000 })
  return status === 0 ? path : undefined
}

function isExecutable(path: string): boolean {
  try {
    accessSync(path, constants.X_OK)
    return true
  } catch {
    return false
  }
}
