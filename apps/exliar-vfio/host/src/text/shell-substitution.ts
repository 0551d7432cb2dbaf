/**
 * Where a substitution ends that begins at this backquote or dollar sign: behind its last character. Undefined when it does
 * not end.
 */
export function endOfSubstitution(text: string, start: number): number | undefined {
  if (text[start] === '`') return endOfQuote(text, start + 1, '`')
  return endOfGroup(text, start + 2, text[start + 1] === '(' ? ')' : '}')
}

function endOfGroup(text: string, from: number, closing: ')' | '}'): number | undefined {
  let at: number | undefined = from
  while (at !== undefined && at < text.length) {
    const character: string = text[at] ?? ''
    if (character === closing) return at + 1
    if (character === '\\') at += 2
    else if (character === "'") at = endOfLiteral(text, at + 1)
    else if (character === '"' || character === '`') at = endOfQuote(text, at + 1, character)
    else if (character === '$' && /[({]/.test(text[at + 1] ?? '')) at = endOfSubstitution(text, at)
    else if (character === '(' && closing === ')') at = endOfGroup(text, at + 1, ')')
    else at++
  }
  return undefined
}

function endOfLiteral(text: string, from: number): number | undefined {
  const end = text.indexOf("'", from)
  return end === -1 ? undefined : end + 1
}

function endOfQuote(text: string, from: number, closing: '"' | '`'): number | undefined {
  let at: number | undefined = from
  while (at !== undefined && at < text.length) {
    const character: string = text[at] ?? ''
    if (character === closing) return at + 1
    if (character === '\\') at += 2
    else if (character === '`') at = endOfQuote(text, at + 1, '`')
    else if (character === '$' && /[({]/.test(text[at + 1] ?? '') && closing === '"') at = endOfSubstitution(text, at)
    else at++
  }
  return undefined
}
