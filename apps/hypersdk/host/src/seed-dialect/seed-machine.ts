import type { VmInfo } from '@hypersdk/points'
import { seedErrors } from './errors.ts'
import { fieldsOf } from './field-names.ts'

/** Translates what ListVMs, GetVM and SearchVMs answer, whatever the spelling of its fields. Errors: `SEED_RESULT_INVALID`. */
export function readMachine(answer: unknown, name: string, method: string): VmInfo {
  const field = fieldsOf(answer)
  const id = field('id')
  if (typeof answer !== 'object' || (typeof id !== 'string' && typeof id !== 'number') || id === '') {
    throw seedErrors.error('SEED_RESULT_INVALID', { name, method, problem: 'a machine without an ID' })
  }
  const text = (key: string): string => {
    const value = field(key)
    return typeof value === 'string' || typeof value === 'number' ? String(value) : ''
  }
  const number = (key: string): number => Number(field(key) ?? 0) || 0
  return {
    provider: text('provider'),
    id: String(id),
    name: text('name') || String(id),
    state: text('state') || 'unknown',
    location: text('location'),
    power_state: text('power_state'),
    guest_os: text('guest_os'),
    memory_mb: number('memory_mb'),
    num_cpus: number('num_cpus'),
    storage_gb: number('storage_gb'),
    ip_addresses: texts(field('ip_addresses')),
    tags: Object.fromEntries(Object.entries(Object(field('tags'))).map(([key, value]) => [key, String(value)])),
    metadata: { ...Object(field('metadata')) },
    created_at: time(field('created_at')),
    updated_at: time(field('updated_at')),
  }
}

/** Translates a list of machines; Go's nil is an empty one. */
export function readMachines(answer: unknown, name: string, method: string): VmInfo[] {
  if (answer === null || answer === undefined) return []
  if (Array.isArray(answer)) return answer.map((machine: unknown) => readMachine(machine, name, method))
  throw seedErrors.error('SEED_RESULT_INVALID', { name, method, problem: 'no list' })
}

function texts(value: unknown): string[] {
  return Array.isArray(value) ? value.map(String) : []
}

function time(value: unknown): string | null {
  const date =
    value instanceof Date ? value : typeof value === 'string' || typeof value === 'number' ? new Date(value) : undefined
  return date === undefined || Number.isNaN(date.getTime()) ? null : date.toISOString()
}
