/** Longer patterns are taken as names. */
const longestPattern = 256

/** One character of a name, or any run of them. */
type Token = ((character: string) => boolean) | 'run'

/**
 * Matches whole names by a shell glob, with case: `*` is any run, slashes too, `?` one character, `[a-c]` and `[!a-c]` a set, and a
 * backslash takes what follows it as it is. Patterns come from whoever may list machines, so it takes at most as many steps as both
 * are long, one by the other; a regular expression made of a pattern with a few stars would not end.
 */
export function nameGlob(pattern: string): (name: string) => boolean {
  if (pattern.length > longestPattern) return (name) => name === pattern
  const tokens = tokensOf(Array.from(pattern))
  return (name) => matches(tokens, Array.from(name))
}

/** Where it leads nowhere only the last run takes a character more: what earlier ones took is enough. */
function matches(tokens: readonly Token[], name: readonly string[]): boolean {
  let [at, token] = [0, 0]
  let back: { readonly token: number; at: number } | undefined
  while (at < name.length) {
    const one = tokens[token]
    if (one === 'run') back = { token: ++token, at }
    else if (one?.(name[at] ?? '') === true) [at, token] = [at + 1, token + 1]
    else if (back === undefined) return false
    else [at, token] = [++back.at, back.token]
  }
  return tokens.slice(token).every((rest) => rest === 'run')
}

function tokensOf(pattern: readonly string[]): readonly Token[] {
  const tokens: Token[] = []
  for (let at = 0; at < pattern.length; at += 1) {
    const character = pattern[at] ?? ''
    const set = character === '[' ? setAt(pattern, at) : undefined
    if (set !== undefined) {
      tokens.push(set.token)
      at = set.end
    } else if (character === '*') tokens.push('run')
    else if (character === '?') tokens.push(() => true)
    else if (character === '\\' && at + 1 < pattern.length) tokens.push(only(pattern[++at] ?? ''))
    else tokens.push(only(character))
  }
  return tokens
}

function only(character: string): Token {
  return (one) => one === character
}

/** A set; undefined for a bracket that nothing closes, which is a bracket. A closing one that comes first is of the set. */
function setAt(pattern: readonly string[], start: number): { readonly token: Token; readonly end: number } | undefined {
  const isNot = pattern[start + 1] === '!' || pattern[start + 1] === '^'
  const first = start + (isNot ? 2 : 1)
  const end = pattern.indexOf(']', first + 1)
  if (end === -1) return undefined
  const ranges: (readonly [string, string])[] = []
  for (let at = first; at < end; at += 1) {
    const [from = '', dash, to = ''] = pattern.slice(at, Math.min(at + 3, end))
    const isRange = dash === '-' && to !== ''
    ranges.push([from, isRange ? to : from])
    if (isRange) at += 2
  }
  return { token: (one) => ranges.some(([from, to]) => from <= one && one <= to) !== isNot, end }
}
