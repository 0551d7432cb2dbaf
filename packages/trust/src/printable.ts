/** Text of strangers as it may stand in a sentence for people: short, and nothing in it that a terminal would act on or hide. */
export function printable(text: string, longest = 160): string {
  const short = text.length > longest ? `${text.slice(0, longest)}…` : text
  return short.replaceAll(/[\p{C}\p{Zl}\p{Zp}]/gu, (character) => `\\u{${(character.codePointAt(0) ?? 0).toString(16)}}`)
}
