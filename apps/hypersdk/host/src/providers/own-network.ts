import type { Environment } from '../config/default-places.ts'
import type { HostConfig } from '../config/host-config.ts'
import { namesSecret, resolveEnvironment } from '../secrets/resolve-handles.ts'

const ports: Readonly<Record<string, string>> = { 'http:': '80', 'https:': '443', 'ws:': '80', 'wss:': '443' }

/**
 * Places, `host:port`, that the configuration itself names among its providers' options. The operator wrote them, so they
 * may lead into private networks; a name that only a manifest asks for may not.
 */
export function placesNamed({ providers }: HostConfig, env: Environment): ReadonlySet<string> {
  const texts = [...providers.values()].flatMap(({ options }) => textsIn(options))
  const places = texts.map((text) => (namesSecret(text) ? undefined : placeOf(resolveEnvironment(text, env))))
  return new Set(places.filter((place) => place !== undefined))
}

function textsIn(value: unknown): readonly string[] {
  if (typeof value === 'string') return [value]
  return typeof value === 'object' && value !== null ? Object.values(value).flatMap(textsIn) : []
}

function placeOf(text: string): string | undefined {
  if (/^[\w.-]+:\d{1,5}$/.test(text)) return text.toLowerCase()
  if (!text.includes('://') || !URL.canParse(text)) return undefined
  const { hostname, port, protocol } = new URL(text)
  const found = port === '' ? ports[protocol] : port
  return found === undefined ? undefined : `${hostname}:${found}`
}
