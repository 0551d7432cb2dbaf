/**
 * Whether a value is JSON as it stands: plain objects and arrays nested at most `depth` deep, strings, finite numbers,
 * booleans, null, and undefined, which JSON leaves out. False only says that a slower look is needed. It is asked for
 * every value that crosses, so it allocates nothing.
 */
export function isPlain(value: unknown, depth: number): boolean {
  switch (typeof value) {
    case 'string':
    case 'boolean':
    case 'undefined':
      return true
    case 'number':
      return Number.isFinite(value)
    case 'object':
      if (value === null) return true
      if (depth <= 0) return false
      return Array.isArray(value) ? isPlainArray(value, depth - 1) : isPlainObject(value as Record<string, unknown>, depth - 1)
    case 'bigint':
    case 'function':
    case 'symbol':
      return false
  }
}

function isPlainArray(list: readonly unknown[], depth: number): boolean {
  if (Object.getPrototypeOf(list) !== Array.prototype) return false
  for (let at = 0; at < list.length; at++) {
    const member = list[at]
    if (!isPlainMember(member, depth)) return false
  }
  return true
}

function isPlainObject(object: Record<string, unknown>, depth: number): boolean {
  if (Object.getPrototypeOf(object) !== Object.prototype) return false
  for (const key in object) {
    if (key === '__proto__' || key === 'constructor') return false
    const member = object[key]
    if (!isPlainMember(member, depth)) return false
  }
  return true
}

/** Strings and numbers, which most members are, pass without looking further. */
function isPlainMember(member: unknown, depth: number): boolean {
  if (typeof member === 'string') return true
  return typeof member === 'number' ? Number.isFinite(member) : isPlain(member, depth)
}
