/** Shorter values are not looked for: they would blacken ordinary words. */
const shortestSecret = 4

/** Takes the values of secrets out of what is written and shown. It knows the values that were handed out. */
export class Redactor {
  readonly #values = new Set<string>()

  add(value: string): void {
    if (value.length >= shortestSecret) this.#values.add(value)
  }

  text(text: string): string {
    let clean = text
    for (const value of this.#values) if (clean.includes(value)) clean = clean.replaceAll(value, '[redacted]')
    return clean
  }

  /** The same for every string in a JSON-like value; errors become their messages. */
  value(value: unknown, depth = 0): unknown {
    if (typeof value === 'string') return this.text(value)
    if (typeof value !== 'object' || value === null || depth > 8) return value
    if (value instanceof Error) return { name: value.name, message: this.text(value.message) }
    if (Array.isArray(value)) return value.map((member) => this.value(member, depth + 1))
    return Object.fromEntries(Object.entries(value).map(([key, member]) => [key, this.value(member, depth + 1)]))
  }

  get isEmpty(): boolean {
    return this.#values.size === 0
  }
}
