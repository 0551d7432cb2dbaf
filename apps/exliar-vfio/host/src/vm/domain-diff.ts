import { createTwoFilesPatch } from 'diff'
import type { DefineDomain } from './define-domain.ts'

/** What a step changes, line by line, as people read it; passwords are blanked on both sides. */
export function domainDiff({ name, before, after }: DefineDomain): string {
  return createTwoFilesPatch(`${name} (now)`, `${name} (then)`, ended(before), ended(after), undefined, undefined, { context: 3 })
}

function ended(xml: string): string {
  const blanked = xml.replaceAll(/(\spasswd\s*=\s*)(?:'[^']*'|"[^"]*")/g, "$1'…'")
  return blanked.endsWith('\n') ? blanked : `${blanked}\n`
}
