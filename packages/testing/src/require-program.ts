import { accessSync, constants } from 'node:fs'
import { join } from 'node:path'
import type { TestContext } from 'node:test'

const directories = ['/usr/local/bin', '/usr/bin', '/bin', '/usr/local/sbin', '/usr/sbin', '/sbin']

/**
 * Whether a program that a test needs is installed where plugins look for it, and on the PATH that tests start it by;
 * for daemons in `sbin`, which ordinary users have not on theirs, the first is enough. When it is not, the test is skipped with the name of the Debian
 * package; where `BACKPLANE_CI` is `1` a skip would hide something, so it fails instead. Use it as
 * `if (!requireProgram(t, 'qemu-img', 'qemu-utils')) return`.
 */
export function requireProgram(t: TestContext, program: string, debianPackage: string): boolean {
  const path = (process.env['PATH'] ?? '').split(':')
  const searched = directories.filter((directory) => directory.endsWith('sbin') || path.includes(directory))
  if (searched.some((directory) => isExecutable(join(directory, program)))) return true
  const reason = `${program} is not installed or not on PATH (Debian package ${debianPackage})`
  if (process.env['BACKPLANE_CI'] === '1') throw new Error(reason)
  t.skip(reason)
  return false
}

/** Whether a program is in one of the usual places. */
export function isInstalled(program: string): boolean {
  return directories.some((directory) => isExecutable(join(directory, program)))
}

function isExecutable(path: string): boolean {
  try {
    accessSync(path, constants.X_OK)
    return true
  } catch {
    return false
  }
}
