/** Values that no schema expects, and changes to what everybody in the process shares. */
export const values = {
  own: (_, scope) => scope.directories,
  protoKeys: () => JSON.parse('{"__proto__":{"polluted":"yes"},"constructor":{"prototype":{"polluted":"yes"}},"plain":1}'),
  deep: ({ depth }) => {
    let value = {}
    for (let at = 0; at < depth; at++) value = { value }
    return value
  },
  patch: () => {
    Reflect.set(Object.prototype, 'polluted', 'yes')
    for (const [holder, name] of [
      [Array.prototype, 'map'],
      [JSON, 'parse'],
      [Promise.prototype, 'then'],
      [globalThis, 'fetch'],
      [process, 'emit'],
    ]) {
      Reflect.set(holder, name, () => 'patched')
    }
    return 'patched'
  },
}
