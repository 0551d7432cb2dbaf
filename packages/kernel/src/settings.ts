import { kernelErrors } from './errors.ts'
import type { SecretBroker } from './ports.ts'
import { pathText } from './calls/validation.ts'

/** What {@link resolveSettings} is given. */
export interface SettingsContext {
  /** Default `process.env`. */
  readonly env?: Readonly<Record<string, string | undefined>>
  /** Absent: `${secret:name}` handles stay as they are. */
  readonly secrets?: SecretBroker | undefined
  /** Who asks, for the broker; the host itself when it resolves its own settings. Default `host`. */
  readonly plugin?: string
  /** File and path for messages. Default `settings`. */
  readonly from?: string
}

const place = /(\$?)\$\{(env|secret):([A-Za-z0-9_][\w./-]*?)(?::-([^}]*))?\}/g

/**
 * Fills `${env:NAME}`, `${env:NAME:-default}` and `${secret:name}` places in every string of a JSON-like value, at any
 * depth, and answers a new value; keys are left alone. `$${env:NAME}` stands for the text `${env:NAME}` itself.
 * Errors: `SETTING_UNRESOLVED` and `SECRET_UNRESOLVED`, naming file and path.
 */
export async function resolveSettings(value: unknown, context: SettingsContext = {}): Promise<unknown> {
  const filled = fillEnvironment(value, context)
  const broker = context.secrets
  if (broker === undefined) return filled
  const values = new Map<string, string>()
  for (const [name, path] of secretPlaces(filled)) {
    const secret = await broker.resolve(name, context.plugin ?? 'host')
    if (secret === undefined) throw kernelErrors.error('SECRET_UNRESOLVED', { from: context.from ?? 'settings', path, name })
    values.set(name, secret)
  }
  return mapStrings(filled, (text) =>
    text.replaceAll(place, (...match: readonly string[]) => {
      const [all = '', escape, kind, name = ''] = match
      if (kind !== 'secret') return all
      return escape === '' ? (values.get(name) ?? all) : all.slice(1)
    }),
  )
}

/** The names of the secrets a value mentions: what a plugin with these settings may read. */
export function secretNames(value: unknown): ReadonlySet<string> {
  return new Set(secretPlaces(value).keys())
}

/** `name` for a handle `${secret:name}`, and the text itself otherwise. */
export function secretName(handleOrName: string): string {
  return /^\$\{secret:([^}]+)\}$/.exec(handleOrName)?.[1] ?? handleOrName
}

function fillEnvironment(value: unknown, context: SettingsContext): unknown {
  const env = context.env ?? process.env
  return mapStrings(value, (text, path) =>
    text.replaceAll(place, (...match: readonly string[]) => {
      const [all = '', escape, kind, name = '', fallback] = match
      if (kind !== 'env') return all
      if (escape !== '') return all.slice(1)
      const found = (Object.hasOwn(env, name) ? env[name] : undefined) ?? fallback
      if (found === undefined) throw kernelErrors.error('SETTING_UNRESOLVED', { from: context.from ?? 'settings', path, name })
      return found
    }),
  )
}

function secretPlaces(value: unknown): Map<string, string> {
  const found = new Map<string, string>()
  mapStrings(value, (text, path) => {
    for (const [, escape, kind, name] of text.matchAll(place)) {
      if (escape === '' && kind === 'secret' && name !== undefined && !found.has(name)) found.set(name, path)
    }
    return text
  })
  return found
}

function mapStrings(value: unknown, change: (text: string, path: string) => string, path = '$'): unknown {
  if (typeof value === 'string') return value.includes('${') ? change(value, path) : value
  if (Array.isArray(value)) return value.map((member, index) => mapStrings(member, change, `${path}[${index}]`))
  if (typeof value !== 'object' || value === null || value instanceof Uint8Array) return value
  // fromEntries defines own members, so a key `__proto__` stays a key
  return Object.fromEntries(
    Object.entries(value).map(([key, member]) => [key, mapStrings(member, change, path + pathText([key]))]),
  )
}
