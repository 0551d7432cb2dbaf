/** The text without control characters: names come from machines and plugins, and must not steer the terminal. */
export function printable(text: string): string {
  // oxlint-disable-next-line no-control-regex -- control characters are what is looked for
  return text.replaceAll(/[\u0000-\u001f\u007f-\u009f\u202a-\u202e\u2066-\u2069]/g, '\uFFFD')
}

/** The same for a text of several lines, as one. */
export function printableLine(text: string): string {
  return printable(text.trim().replaceAll(/\s*[\r\n]+\s*/g, ' '))
}

/** JSON that steers no terminal either: it escapes the first 32 control characters by itself, and these stay as they are. */
export function printableJson(value: unknown, indent?: number): string {
  const escape = (character: string): string => `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`
  return JSON.stringify(value, undefined, indent).replaceAll(/[\u007f-\u009f\u202a-\u202e\u2066-\u2069]/g, escape)
}
