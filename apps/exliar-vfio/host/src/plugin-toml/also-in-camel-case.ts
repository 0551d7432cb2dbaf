/** Gives every method of a class its name in camel case too: `get_bool` is `getBool`. Source: the seed writes the first. */
export function alsoInCamelCase(of: { readonly prototype: object }): void {
  for (const name of Object.getOwnPropertyNames(of.prototype)) {
    const camel = camelCase(name)
    const method = Object.getOwnPropertyDescriptor(of.prototype, name)
    if (camel !== name && method !== undefined) Object.defineProperty(of.prototype, camel, method)
  }
}

/** `on_gpu_detected` → `onGpuDetected`. */
export function camelCase(name: string): string {
  return name.replaceAll(/_([a-z])/g, (_, letter: string) => letter.toUpperCase())
}
