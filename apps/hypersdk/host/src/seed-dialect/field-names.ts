/*
 * The seed's guide writes `NumCPUs`, its JSON `num_cpus`, and a JavaScript author may write `numCpus`. Here they are one.
 */

const initialisms = new Set(['id', 'vm', 'vms', 'mb', 'gb', 'ip', 'os', 'sdk', 'url', 'cdrom'])

/** `num_cpus` → `NumCPUs`, as Go spells it. */
export function pascalName(snake: string): string {
  return snake.split('_').map(pascalWord).join('')
}

function pascalWord(word: string): string {
  if (word === 'cpus') return 'CPUs'
  if (word === 'vms') return 'VMs'
  return initialisms.has(word) ? word.toUpperCase() : word.charAt(0).toUpperCase() + word.slice(1)
}

/** What all spellings of one name have in common. */
export function squashedName(name: string): string {
  return name.replaceAll('_', '').toLowerCase()
}

/** The same members under both their names, so that `filter.NamePattern` and `filter.name_pattern` are one value. */
export function inBothSpellings(object: Readonly<Record<string, unknown>>): Record<string, unknown> {
  return Object.fromEntries(
    Object.entries(object).flatMap(([key, value]) => [
      [key, value],
      [pascalName(key), value],
    ]),
  )
}

/** Reads members whatever their spelling: `field('num_cpus')` finds `NumCPUs`, `numCpus` and `num_cpus`. */
export function fieldsOf(value: unknown): (snake: string) => unknown {
  const known = new Map(Object.entries(Object(value)).map(([key, member]): [string, unknown] => [squashedName(key), member]))
  return (snake) => known.get(squashedName(snake)) ?? undefined
}

/** Finds a method whatever its spelling, also one of a class, and binds it: `ListVMs`, `listVMs`, `listVms`, `list_vms`. */
export function methodOf(object: unknown, name: string): ((...args: readonly unknown[]) => unknown) | undefined {
  const wanted = squashedName(name)
  for (let at: unknown = object; at !== null && at !== undefined && at !== Object.prototype; at = Object.getPrototypeOf(at)) {
    const key = Object.getOwnPropertyNames(at).find((own) => squashedName(own) === wanted)
    const member: unknown = key === undefined ? undefined : Reflect.get(Object(object), key)
    if (typeof member === 'function') return member.bind(object) as (...args: readonly unknown[]) => unknown
  }
  return undefined
}
