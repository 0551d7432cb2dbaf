import { isAbsolute, resolve } from 'node:path'
import { nearestName, type PermissionKind, type PermissionVocabulary } from '@backplane/sdk'
import { kernelErrors } from '../errors.ts'
import type { Grants } from '../ports.ts'

/** What a plugin without permissions may do: nothing. */
export const noGrants: Grants = Object.freeze({ fsRead: [], fsWrite: [], exec: [], net: [], host: [] })

/** What a permission may be about. */
export const permissionVerbs = ['fs:read', 'fs:write', 'exec', 'net:connect'] as const
/** The part before the argument. */
export type PermissionVerb = (typeof permissionVerbs)[number]

/** One permission, taken apart: one of those every host knows, or the host's own. */
export type ParsedPermission =
  | { readonly verb: PermissionVerb; readonly argument: string }
  | { readonly verb: 'host'; readonly name: string; readonly kind: PermissionKind }

/** Of a host that names none of its own. */
export const noVocabulary: PermissionVocabulary = Object.freeze({})

const ports: Readonly<Record<string, string>> = { 'http:': '80', 'https:': '443', 'ws:': '80', 'wss:': '443', 'ssh:': '22' }

/** Values one place with `*` may stand for; more is a mistake in the settings. */
const mostExpansions = 1_000

/** What {@link grantsOf} is given. */
export interface GrantRequest {
  readonly plugin: string
  readonly permissions: readonly string[]
  /** Of these, what the operator keeps from it: not granted, whichever of the others would come to the same. */
  readonly withheld?: readonly string[]
  readonly vocabulary: PermissionVocabulary
  /** Fills `${path.to.value}` places. */
  readonly variables: Readonly<Record<string, unknown>>
  /** Relative paths are relative to the plugin's data directory. */
  readonly dataDirectory: string
  /** What the operator adds. */
  readonly added: Partial<Grants> | undefined
}

/** Turns permissions into grants; a permission with a place that has no value is dropped. Errors: `PERMISSION_INVALID`. */
export function grantsOf(request: GrantRequest): Grants {
  const { added = {}, permissions, withheld = [] } = request
  const found = emptySets()
  const kept = emptySets()
  for (const permission of withheld) for (const { verb, value } of openedBy(request, permission)) kept[verb].add(value)
  for (const permission of permissions) {
    for (const { verb, value } of openedBy(request, permission)) if (!kept[verb].has(value)) found[verb].add(value)
  }
  const granted = (verb: keyof typeof found, own: readonly string[] = []): readonly string[] => [
    ...new Set([...own, ...found[verb]]),
  ]
  return {
    fsRead: granted('fs:read', added.fsRead),
    fsWrite: granted('fs:write', added.fsWrite),
    exec: granted('exec', added.exec),
    net: granted('net:connect', added.net),
    host: granted('host', added.host),
  }
}

/** One thing that a permission opens: a path, a program, a place of the network, a permission of the host's own. */
export interface Opened {
  readonly verb: PermissionVerb | 'host'
  readonly value: string
}

/** All that one permission opens once its places are filled. Errors: `PERMISSION_INVALID`. */
export function openedBy(
  request: Pick<GrantRequest, 'plugin' | 'vocabulary' | 'variables' | 'dataDirectory'>,
  permission: string,
): readonly Opened[] {
  const parsed = parsePermission(request.plugin, permission, request.vocabulary)
  if (parsed.verb === 'host') return [{ verb: 'host', value: parsed.name }]
  const { verb, argument } = parsed
  return fillPlaces(argument, request.variables).map((filled) => ({ verb, value: normalise(request, permission, verb, filled) }))
}

function emptySets(): Readonly<Record<Opened['verb'], Set<string>>> {
  return { 'fs:read': new Set(), 'fs:write': new Set(), exec: new Set(), 'net:connect': new Set(), host: new Set() }
}

/** Errors: `PERMISSION_NAME_INVALID`. */
export function checkVocabulary(vocabulary: PermissionVocabulary): void {
  for (const permission of Object.keys(vocabulary)) {
    const isTaken = ['fs', 'exec', 'net'].includes(permission.split(':')[0] ?? '')
    const problem = isTaken ? 'belongs to what every host knows' : 'is not of the form area:verb, in small letters'
    if (isTaken || !/^[a-z]+:[a-z][a-z-]*$/.test(permission))
      throw kernelErrors.error('PERMISSION_NAME_INVALID', { permission, problem })
  }
}

/** Splits one permission; `vocabulary` holds those the host names. Errors: `PERMISSION_INVALID`. */
export function parsePermission(plugin: string, permission: string, vocabulary: PermissionVocabulary): ParsedPermission {
  const space = permission.indexOf(' ')
  const name = space < 0 ? permission : permission.slice(0, space)
  const verb = permissionVerbs.find((known) => known === name)
  const argument = space < 0 ? '' : permission.slice(space + 1).trim()
  if (verb === undefined) {
    const kind = Object.hasOwn(vocabulary, name) ? vocabulary[name] : undefined
    if (kind === undefined) throw invalid(plugin, permission, unknownName(name, Object.keys(vocabulary)))
    if (argument !== '') throw invalid(plugin, permission, `must be ${name} alone`)
    return { verb: 'host', name, kind }
  }
  if (argument === '') throw invalid(plugin, permission, 'does not say what it is for')
  return { verb, argument }
}

function unknownName(name: string, own: readonly string[]): string {
  const known = [...permissionVerbs, ...own]
  const nearest = nearestName(name, known)
  return nearest === undefined ? `is not one of ${known.join(', ')}` : `is not known here; did you mean ${nearest}?`
}

function normalise(
  request: Pick<GrantRequest, 'plugin' | 'dataDirectory'>,
  permission: string,
  verb: PermissionVerb,
  argument: string,
): string {
  if (argument.includes('\0')) throw invalid(request.plugin, permission, 'holds a NUL character')
  switch (verb) {
    case 'fs:read':
    case 'fs:write':
      return isAbsolute(argument) ? resolve(argument) : resolve(request.dataDirectory, argument)
    case 'exec':
      if (!/^[\w.+-]+$/.test(argument))
        throw invalid(request.plugin, permission, 'names a program by something else than its name')
      return argument
    case 'net:connect':
      return (
        hostAndPort(argument) ?? refuse(invalid(request.plugin, permission, 'is neither host:port nor a URL with a known port'))
      )
  }
}

/** `host:port` of a place or of a URL with a known port; undefined when it is neither. */
export function hostAndPort(text: string): string | undefined {
  if (!text.includes('://')) return /^(\[[\da-fA-F:.]+\]|[\w.-]+):\d{1,5}$/.test(text) ? text : undefined
  if (!URL.canParse(text)) return undefined
  const url = new URL(text)
  const port = url.port === '' ? ports[url.protocol] : url.port
  return port === undefined || url.hostname === '' ? undefined : `${url.hostname}:${port}`
}

/** Every way to fill the `${path}` places of a text; none when a place has no value. */
export function fillPlaces(text: string, variables: Readonly<Record<string, unknown>>): readonly string[] {
  const place = /\$\{([\w.*-]+)\}/.exec(text)
  if (place === null) return [text]
  const filled: string[] = []
  for (const value of valuesAt(variables, (place[1] ?? '').split('.'))) {
    const head = text.slice(0, place.index) + value
    for (const tail of fillPlaces(text.slice(place.index + place[0].length), variables)) {
      filled.push(head + tail)
      if (filled.length > mostExpansions) return filled
    }
  }
  return filled
}

function valuesAt(value: unknown, path: readonly string[]): readonly string[] {
  const [key, ...rest] = path
  if (key === undefined) {
    const usable = (typeof value === 'string' && value !== '') || typeof value === 'number'
    return usable ? [String(value)] : []
  }
  if (typeof value !== 'object' || value === null) return []
  if (key === '*') return Object.values(value).flatMap((member) => valuesAt(member, rest))
  return Object.hasOwn(value, key) ? valuesAt(Reflect.get(value, key), rest) : []
}

function invalid(plugin: string, permission: string, problem: string): Error {
  return kernelErrors.error('PERMISSION_INVALID', { plugin, permission, problem }, { plugin })
}

function refuse(error: Error): never {
  throw error
}
