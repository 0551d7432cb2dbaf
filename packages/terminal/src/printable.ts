/**
 * What steers a terminal (control characters), turns the order of what is read around (bidirectional marks), or stands there unseen,
 * so that two texts look alike (zero-width characters, tags). The joiners that some scripts and emoji need are not among them.
 * Source: Unicode TR 36, TR 9.
 */
const unseen =
  /[\u007f-\u009f\u00ad\u061c\u180e\u200b\u200e\u200f\u2028-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb\u{e0000}-\u{e007f}]/gu
// oxlint-disable-next-line no-control-regex -- control characters are what is looked for
const controls = /[\u0000-\u001f]/g

/** The text without what steers the terminal or deceives who reads: names come from machines and plugins. */
export function printable(text: string): string {
  return text.replaceAll(controls, '\uFFFD').replaceAll(unseen, '\uFFFD')
}

/** The same for a text of several lines, as one. */
export function printableLine(text: string): string {
  const lines = text.split(/[\r\n]/).map((line) => line.trim())
  return printable(lines.filter((line) => line !== '').join(' '))
}

/** JSON that steers no terminal either: it escapes the first 32 control characters by itself, and these stay as they are. */
export function printableJson(value: unknown, indent?: number): string {
  const escape = (unit: string): string => `\\u${unit.charCodeAt(0).toString(16).padStart(4, '0')}`
  return JSON.stringify(value, undefined, indent).replaceAll(unseen, (character) => character.split('').map(escape).join(''))
}
