/** An object that was kept as JSON. What cannot be read is undefined: it keeps no host from starting. */
export function parseKept(text: string): unknown {
  try {
    const entry: unknown = JSON.parse(text)
    return typeof entry === 'object' && entry !== null ? entry : undefined
  } catch {
    return undefined
  }
}
