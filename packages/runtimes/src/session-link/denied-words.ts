import type { Violation } from '@backplane/kernel'

/** Denials a plugin may tell of per second, and at once: it may make them up, and must not hide what its host sees itself. */
export const deniedPerSecond = 2
export const deniedAtOnce = 8

/** Uses a plugin in audit mode may tell of per second, and at once. */
export const usesPerSecond = 50
export const usesAtOnce = 2_000

/** Of a resource, characters that are repeated to others. */
const longestShown = 200

/** What Node calls it, and what a manifest would ask for. */
const permissions: ReadonlyMap<unknown, string> = new Map([
  ['FileSystemRead', 'fs:read'],
  ['FileSystemWrite', 'fs:write'],
  ['ChildProcess', 'exec'],
  ['Net', 'net:connect'],
  ['WorkerThreads', 'worker'],
  ['Addon', 'addon'],
  ['WASI', 'wasi'],
  ['Inspector', 'inspector'],
  ['FFI', 'ffi'],
])

const byNode = "denied by Node's permission model, by the plugin's own word"

/** What a plugin says Node denied it, as its own word; undefined when that makes no sense. */
export function deniedByNode(told: unknown, detail: string = byNode): Violation | undefined {
  const { permission, resource } = Object(told) as Record<string, unknown>
  const asked = permissions.get(permission)
  if (asked === undefined) return undefined
  const printable = (typeof resource === 'string' ? resource : '')
    .slice(0, longestShown + 1)
    .replaceAll(/[^\x20-\x7e]/g, (character) => encodeURIComponent(character.toWellFormed()))
  const shown = printable.length > longestShown ? `${printable.slice(0, longestShown)}…` : printable
  const wanted = shown === '' ? asked : `${asked} ${shown}`
  return { kind: 'grant', permission: wanted, detail }
}
