import { kernelErrors } from './errors.ts'
import type { Store } from './ports.ts'

/** A {@link Store} that forgets everything with the process: for tests, and for hosts that keep nothing. */
export function memoryStore(): Store {
  const namespaces = new Map<string, Map<string, string>>()
  return {
    get: async (namespace, key) => namespaces.get(namespace)?.get(key),
    set: async (namespace, key, value, quotaBytes) => {
      const entries = namespaces.get(namespace) ?? new Map<string, string>()
      if (quotaBytes !== undefined) {
        const bytes = bytesWith(entries, key, value)
        if (bytes > quotaBytes) throw kernelErrors.error('STATE_QUOTA_EXCEEDED', { namespace, bytes, quotaBytes })
      }
      namespaces.set(namespace, entries.set(key, value))
    },
    delete: async (namespace, key) => {
      namespaces.get(namespace)?.delete(key)
    },
    keys: async (namespace, prefix) => {
      const found = [...(namespaces.get(namespace)?.keys() ?? [])].filter((key) => key.startsWith(prefix))
      return found.sort(byCodePoint)
    },
    clear: async (namespace) => {
      namespaces.delete(namespace)
    },
    [Symbol.asyncDispose]: async () => namespaces.clear(),
  }
}

/** What the namespace would hold with this entry set, UTF-8. */
function bytesWith(entries: ReadonlyMap<string, string>, key: string, value: string): number {
  let bytes = Buffer.byteLength(key) + Buffer.byteLength(value)
  for (const [other, text] of entries) if (other !== key) bytes += Buffer.byteLength(other) + Buffer.byteLength(text)
  return bytes
}

/** UTF-16 order differs from code point order above U+FFFF; SQLite compares bytes of UTF-8, which is code point order. */
function byCodePoint(a: string, b: string): number {
  return Buffer.compare(Buffer.from(a), Buffer.from(b))
}
