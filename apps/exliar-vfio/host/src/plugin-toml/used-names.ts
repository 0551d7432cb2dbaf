import { parse, type Node } from 'acorn'
import { hookMethods, snakeCase, subscribeMethod } from './hook-names.ts'

/** What a module's text says it fills. */
export interface UsedNames {
  /** In the spelling of {@link hookMethods}, sorted. */
  readonly hooks: readonly string[]
  readonly subscribes: boolean
}

/** What is no plain JavaScript, and why. */
export interface UnreadModule {
  readonly unread: string
}

/**
 * Looks for methods of the plugin interface in a module, without running it: a method that is there only for somebody else
 * is declared too, and does nothing.
 */
export function usedNames(text: string): UsedNames | UnreadModule {
  const names = namesIn(text)
  if ('unread' in names) return names
  const hooks = Object.keys(hookMethods).filter((hook) => names.has(hook))
  return { hooks: hooks.sort(), subscribes: names.has(subscribeMethod) }
}

function namesIn(text: string): ReadonlySet<string> | UnreadModule {
  const names = new Set<string>()
  let program: Node
  try {
    program = parse(text, { ecmaVersion: 'latest', sourceType: 'module', allowHashBang: true })
  } catch (error) {
    return { unread: error instanceof Error ? error.message : String(error) }
  }
  // A list and not calls: a module may be nested deeper than the stack is.
  const left: unknown[] = [program]
  while (left.length > 0) {
    const node = left.pop()
    if (Array.isArray(node)) left.push(...(node as readonly unknown[]))
    else if (isNode(node)) {
      for (const name of nameOf(node)) names.add(snakeCase(name))
      left.push(...Object.values(node).filter((value) => typeof value === 'object' && value !== null))
    }
  }
  return names
}

/** Methods, properties, and what is called by name. */
function* nameOf(node: Node): Iterable<string> {
  const { type, key, property } = node as Node & { readonly key?: unknown; readonly property?: unknown }
  const named = type === 'MemberExpression' ? property : key
  const { name, value } = Object(named) as { readonly name?: unknown; readonly value?: unknown }
  if (typeof name === 'string') yield name
  else if (typeof value === 'string') yield value
}

function isNode(value: unknown): value is Node {
  return typeof value === 'object' && value !== null && typeof Reflect.get(value, 'type') === 'string'
}
