/** What a finding rests on. */
export interface Evidence {
  readonly text: string
  /** Of the event that says so, in `/api/events`. */
  readonly seq?: number
  readonly atMs?: number
}

/** One thing that explains how a plugin is. */
export interface Finding {
  /** `fault`: it keeps the plugin from its work · `notice`: worth knowing · `fine`: as it should be. */
  readonly weight: 'fault' | 'notice' | 'fine'
  /** What is so; a sentence. */
  readonly what: string
  /** Why it is so; a sentence. */
  readonly because: string
  readonly evidence: readonly Evidence[]
  /** What to do now. */
  readonly hint?: string
}

/** A text as a sentence: large first letter, unless it begins with the id of a plugin or a path, and a full stop. */
export function sentence(text: string): string {
  const whole = text.trim()
  const first = /^\S*\//.test(whole) ? whole : whole.slice(0, 1).toUpperCase() + whole.slice(1)
  return /[.!?]$/.test(first) ? first : `${first}.`
}
