import type { SecretBroker } from '@backplane/kernel'
import type { Environment } from '../config/default-places.ts'
import { hypersdkErrors } from '../errors.ts'

/** Where handles get their values. */
export interface HandleSources {
  readonly env: Environment
  readonly broker: SecretBroker
  /** For whom; default: the host itself. */
  readonly plugin?: string | undefined
}

const handle = /\$\{(env|secret):([^}]+)\}/g

/** Every place in the texts of `value` that looks like a handle but is none, such as `${sceret:name}`, by its path. */
export function brokenHandles(value: unknown, path: readonly PropertyKey[] = []): readonly BrokenHandle[] {
  if (typeof value === 'string') {
    const broken = (value.match(/\$\{[^}]*\}?/g) ?? []).filter((text) => !/^\$\{(?:env|secret):[^}]+\}$/.test(text))
    return broken.map((text) => ({ path, handle: text }))
  }
  if (typeof value !== 'object' || value === null) return []
  return Object.entries(value).flatMap(([key, item]) => brokenHandles(item, [...path, Array.isArray(value) ? Number(key) : key]))
}

/** A text in the place of a handle, and where it stands. */
export interface BrokenHandle {
  readonly path: readonly PropertyKey[]
  readonly handle: string
}

/** Whether a text holds `${secret:…}`. */
export function namesSecret(text: string): boolean {
  return text.includes('${secret:')
}

/**
 * Replaces `${env:NAME}` and `${secret:name}` in every text of `value`, which itself is not changed. Called at the
 * moment of use, so that nothing holds secrets for longer. Errors: `CONFIG_HANDLE_UNRESOLVED`, naming the path and the
 * handle, never a value.
 */
export async function resolveHandles(value: unknown, path: string, from: HandleSources): Promise<unknown> {
  if (typeof value === 'string') return resolveText(value, path, from)
  if (Array.isArray(value)) return Promise.all(value.map((item, index) => resolveHandles(item, `${path}[${index}]`, from)))
  if (typeof value !== 'object' || value === null) return value
  const members = await Promise.all(
    Object.entries(value).map(async ([key, item]) => [key, await resolveHandles(item, `${path}.${key}`, from)] as const),
  )
  return Object.fromEntries(members)
}

/** Only `${env:…}`, in a value that holds no secret; an unset variable leaves the handle as it is. */
export function resolveEnvironment(text: string, env: Environment): string {
  return text.replaceAll(/\$\{env:([^}]+)\}/g, (whole, name: string) => env[name] ?? whole)
}

async function resolveText(text: string, path: string, from: HandleSources): Promise<string> {
  const parts: string[] = []
  let end = 0
  for (const match of text.matchAll(handle)) {
    const [whole, kind, name = ''] = match
    const found = kind === 'env' ? from.env[name] : await from.broker.resolve(name, from.plugin ?? 'host')
    if (found === undefined) throw hypersdkErrors.error('CONFIG_HANDLE_UNRESOLVED', { path, handle: whole })
    parts.push(text.slice(end, match.index), found)
    end = match.index + whole.length
  }
  return parts.join('') + text.slice(end)
}
