import { kernelErrors } from '../errors.ts'
import type { HostLink, Store } from '../ports.ts'
import { messageOf } from '../calls/thrown.ts'

const longestKey = 256

/** The durable state of one plugin: JSON under keys of its own, within its quota. */
export function pluginState(store: Store, plugin: string, stateBytes: number): HostLink['state'] {
  const namespace = stateNamespace(plugin)
  return {
    get: async (key) => {
      const text = await store.get(namespace, checkKey(plugin, key))
      return text === undefined ? undefined : (JSON.parse(text) as unknown)
    },
    set: async (key, value) => store.set(namespace, checkKey(plugin, key), jsonOf(plugin, key, value), stateBytes),
    delete: async (key) => store.delete(namespace, checkKey(plugin, key)),
    keys: async (prefix) => store.keys(namespace, prefix),
  }
}

/** Where the store keeps the state of a plugin. */
export function stateNamespace(plugin: string): string {
  return `plugin/${plugin}`
}

function checkKey(plugin: string, key: unknown): string {
  const length = typeof key === 'string' ? key.length : 0
  if (typeof key === 'string' && length > 0 && length <= longestKey) return key
  throw kernelErrors.error('STATE_KEY_INVALID', { plugin, length }, { plugin })
}

function jsonOf(plugin: string, key: string, value: unknown): string {
  let problem = 'it is undefined or a function'
  try {
    const text = JSON.stringify(value) as string | undefined
    if (text !== undefined) return text
  } catch (error) {
    problem = messageOf(error)
  }
  throw kernelErrors.error('STATE_VALUE_INVALID', { plugin, key, problem }, { plugin })
}
