import { kernelErrors } from '../errors.ts'
import type { HostLink, Store } from '../ports.ts'
import { messageOf } from '../calls/thrown.ts'
import type { StateSlot } from './state-slot.ts'

const longestKey = 256

/** The durable state of one plugin: JSON under keys of its own, within its quota. Errors: those of {@link StateSlot.write}. */
export function pluginState(store: Store, slot: StateSlot, stateBytes: number): HostLink['state'] {
  const { plugin, namespace } = slot
  return {
    get: async (key) => {
      const text = await store.get(namespace, checkKey(plugin, key))
      return text === undefined ? undefined : (JSON.parse(text) as unknown)
    },
    set: async (key, value) => {
      const [checked, text] = [checkKey(plugin, key), jsonOf(plugin, key, value)]
      await slot.write(() => store.set(namespace, checked, text, stateBytes))
    },
    delete: async (key) => {
      const checked = checkKey(plugin, key)
      await slot.write(() => store.delete(namespace, checked))
    },
    keys: async (prefix) => store.keys(namespace, prefix),
  }
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
