import { PlatformError, type PlatformErrorJson } from '@backplane/sdk'

/** Shorter values are not looked for: they would blacken ordinary words. */
const shortestSecret = 4
/** What lies deeper in a logged value is left out rather than searched. */
const deepest = 8

/** Takes the values of secrets out of what is written and shown. It knows the values that were handed out. */
export class Redactor {
  readonly #values = new Set<string>()

  get isEmpty(): boolean {
    return this.#values.size === 0
  }

  add(value: string): void {
    if (value.length >= shortestSecret) this.#values.add(value)
  }

  text(text: string): string {
    let clean = text
    for (const value of this.#values) if (clean.includes(value)) clean = clean.replaceAll(value, '[redacted]')
    return clean
  }

  /** The same for every string in a JSON-like value, keys included; errors become their messages. */
  value(value: unknown, depth = 0): unknown {
    if (typeof value === 'string') return this.text(value)
    if (typeof value !== 'object' || value === null || ArrayBuffer.isView(value)) return value
    if (depth >= deepest) return '[too deep]'
    if (value instanceof Error) return { name: value.name, message: this.text(value.message) }
    if (Array.isArray(value)) return value.map((member) => this.value(member, depth + 1))
    return Object.fromEntries(Object.entries(value).map(([key, member]) => [this.text(key), this.value(member, depth + 1)]))
  }

  error(error: PlatformError): PlatformError {
    const json = error.toJSON() as PlatformErrorJson & { readonly cause?: PlatformErrorJson }
    return PlatformError.fromJSON(this.value(json))
  }
}
