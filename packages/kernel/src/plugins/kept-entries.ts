import type { Log, Store } from '../ports.ts'

/** Members an entry must have, and of what kind; one whose name ends in `?` may be left out. */
export interface Form {
  readonly [member: string]: 'string' | 'number' | Form
}

/** Where the kernel keeps what it has to know after a restart. */
export const kernelNamespace = 'kernel'

/** What a failure is kept as. */
export const failureForm: Form = { stage: 'string', code: 'string', message: 'string' }

/**
 * What is kept below a prefix, by the rest of its key. What cannot be read, or lacks a member, is left out and told: it keeps
 * no host from starting.
 */
export async function readKept<T>(
  { store, log }: { readonly store: Store; readonly log: Log },
  prefix: string,
  form: Form,
): Promise<readonly (readonly [id: string, entry: T])[]> {
  const entries: [string, T][] = []
  for (const key of await store.keys(kernelNamespace, prefix)) {
    const text = await store.get(kernelNamespace, key)
    if (text === undefined) continue
    const entry = parseKept(text, form)
    const plugin = key.slice(prefix.length)
    if (entry !== undefined) entries.push([plugin, entry as T])
    else log.write({ level: 'error', message: `what is kept as ${key} is not of its form and is left out`, plugin })
  }
  return entries
}

/** An object that was kept as JSON, if it has the members of its form. */
function parseKept(text: string, form: Form): unknown {
  try {
    const entry: unknown = JSON.parse(text)
    return hasForm(entry, form) ? entry : undefined
  } catch {
    return undefined
  }
}

/** Whether a value that was kept has the members that were written. */
export function hasForm(value: unknown, form: Form): boolean {
  if (typeof value !== 'object' || value === null) return false
  return Object.entries(form).every(([name, kind]) => {
    const isOptional = name.endsWith('?')
    const member: unknown = Reflect.get(value, isOptional ? name.slice(0, -1) : name)
    if (isOptional && member === undefined) return true
    return typeof kind === 'string' ? typeof member === kind : hasForm(member, kind)
  })
}
