import type { VmInfo } from '@hypersdk/points'
import { digitalOceanErrors } from './errors.ts'
import { isObject, type Json } from './api-client.ts'

/** A droplet's id as the API takes it: a positive whole number. Errors: `DIGITALOCEAN_NOT_FOUND` for anything else. */
export function dropletId(id: string): string {
  if (/^[1-9]\d{0,17}$/.test(id)) return id
  throw digitalOceanErrors.error('DIGITALOCEAN_NOT_FOUND', { what: `droplet ${id}` })
}

/** Translates one droplet. What the API leaves out or says in an unexpected way becomes the field's empty value. */
export function readDroplet(droplet: unknown): VmInfo {
  const id = isObject(droplet) ? droplet['id'] : undefined
  if (!isObject(droplet) || (!Number.isSafeInteger(id) && typeof id !== 'string')) {
    throw digitalOceanErrors.error('DIGITALOCEAN_ANSWER_INVALID', {
      request: 'a droplet',
      reason: 'it has no id',
      endpoint: 'the endpoint',
    })
  }
  const status = text(droplet['status'])
  const image = object(droplet['image'])
  return {
    provider: 'digitalocean',
    id: String(id),
    name: text(droplet['name']),
    state: states[status] ?? 'unknown',
    location: text(object(droplet['region'])['slug']),
    power_state: status,
    guest_os: [image['distribution'], image['name']]
      .map(text)
      .filter((part) => part !== '')
      .join(' '),
    memory_mb: number(droplet['memory']),
    num_cpus: number(droplet['vcpus']),
    storage_gb: number(droplet['disk']),
    ip_addresses: addresses(object(droplet['networks'])),
    tags: tags(droplet['tags']),
    metadata: {
      size: text(droplet['size_slug']),
      image: { id: image['id'] ?? null, slug: image['slug'] ?? null, name: text(image['name']) },
      locked: droplet['locked'] === true,
      features: list(droplet['features']),
      volume_ids: list(droplet['volume_ids']),
      vpc_uuid: text(droplet['vpc_uuid']),
    },
    created_at: text(droplet['created_at']) || null,
    updated_at: null,
  }
}

/** `archive` is a droplet that was powered off and kept as an image. */
const states: Readonly<Record<string, string>> = { active: 'running', off: 'stopped', archive: 'stopped', new: 'unknown' }

/** Public addresses first, so that the first one is the one a user connects to. */
function addresses(networks: Json): string[] {
  const all = [...list(networks['v4']), ...list(networks['v6'])].filter(isObject)
  const isPublic = (network: Json): boolean => network['type'] === 'public'
  const sorted = [...all.filter(isPublic), ...all.filter((network) => !isPublic(network))]
  return sorted.map((network) => text(network['ip_address'])).filter((address) => address !== '')
}

/** DigitalOcean's tags are texts; `env:prod` is read as a key and a value, a tag without a colon has an empty value. */
function tags(value: unknown): Record<string, string> {
  const found = list(value).filter((tag) => typeof tag === 'string')
  return Object.fromEntries(
    found.map((tag) => {
      const colon = tag.indexOf(':')
      return colon === -1 ? [tag, ''] : [tag.slice(0, colon), tag.slice(colon + 1)]
    }),
  )
}

/** The tag as DigitalOcean spells it. */
export function tagName(key: string, value: string): string {
  return value === '' ? key : `${key}:${value}`
}

function text(value: unknown): string {
  return typeof value === 'string' ? value : ''
}

function number(value: unknown): number {
  return typeof value === 'number' && value >= 0 ? value : 0
}

function list(value: unknown): readonly unknown[] {
  return Array.isArray(value) ? value : []
}

function object(value: unknown): Json {
  return isObject(value) ? value : {}
}
