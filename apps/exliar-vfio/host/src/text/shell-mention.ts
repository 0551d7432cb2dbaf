/**
 * Whether a word of a command may change a variable: it names it other than to read it. `isValue`: the word is what is
 * assigned to something, where a bare name is text.
 */
export function changesName(word: string, name: string, isValue: boolean): boolean {
  const mention = new RegExp(`(\\$\\{?[#!]?)?(?<!\\w)${name}(?!\\w)(:?=)?`, 'g')
  for (const [, reference, assigns] of word.matchAll(mention)) {
    if (reference === undefined ? !isValue : reference.startsWith('${') && assigns !== undefined) return true
  }
  return false
}
