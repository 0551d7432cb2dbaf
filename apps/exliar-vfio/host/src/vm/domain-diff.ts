import { textDiff } from '../changes/text-diff.ts'

/** What a machine's configuration differs in, line by line, as people read it; passwords are blanked on both sides. */
export function domainDiff(name: string, before: string, after: string): string {
  return textDiff(`${name}.xml`, blanked(before), blanked(after))
}

function blanked(xml: string): Uint8Array {
  const text = xml.replaceAll(/(\spasswd\s*=\s*)(?:'[^']*'|"[^"]*")/g, "$1'…'")
  return new TextEncoder().encode(text.endsWith('\n') ? text : `${text}\n`)
}
