/** Shorter values are not redacted: they would blank out innocent text. */
const shortestSecret = 6

/** Knows the secrets that were given out and blanks them in anything that is written or answered. */
export class Redactor {
  /** Longest first: a secret within another must not leave the rest of it behind. */
  #secrets: readonly string[] = []

  get isEmpty(): boolean {
    return this.#secrets.length === 0
  }

  /** Characters of the longest form that is blanked. */
  get longest(): number {
    return this.#secrets[0]?.length ?? 0
  }

  /** Remembers a value and its forms in URLs, in base64 and in JSON. */
  learn(secret: string): void {
    const json = JSON.stringify(secret).slice(1, -1)
    const forms = [secret, encodeURIComponent(secret), Buffer.from(secret).toString('base64'), json]
    const known = new Set([...this.#secrets, ...forms.filter((form) => form.length >= shortestSecret)])
    if (known.size > this.#secrets.length) this.#secrets = [...known].toSorted((one, other) => other.length - one.length)
  }

  text(text: string): string {
    let clean = text
    for (const secret of this.#secrets) if (clean.includes(secret)) clean = clean.replaceAll(secret, '[redacted]')
    return clean
  }

  /** The same value with every text in it cleaned; texts are looked at eight members deep, below that dropped. */
  value(value: unknown, depth = 0): unknown {
    if (this.#secrets.length === 0) return value
    if (typeof value === 'string') return this.text(value)
    if (typeof value !== 'object' || value === null) return value
    if (depth >= 8) return '[deep]'
    if (Array.isArray(value)) return value.map((item) => this.value(item, depth + 1))
    if (value instanceof Error) return this.text(value.message)
    return Object.fromEntries(Object.entries(value).map(([key, item]) => [key, this.value(item, depth + 1)]))
  }
}
