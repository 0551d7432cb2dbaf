import { isUtf8 } from 'node:buffer'
import { createTwoFilesPatch } from 'diff'

/** A unified diff of a file; either side may be missing. Source: POSIX diff -u. */
export function textDiff(path: string, before: Uint8Array | undefined, after: Uint8Array | undefined): string {
  const name = path.replace(/^\//, '')
  const from = before === undefined ? '/dev/null' : `a/${name}`
  const to = after === undefined ? '/dev/null' : `b/${name}`
  return createTwoFilesPatch(from, to, textOf(before), textOf(after), undefined, undefined, { context: 3 })
    .replace(/^=+\n/, '')
    .replaceAll(/^(---|\+\+\+) (.*?)\t*$/gm, '$1 $2')
}

function textOf(content: Uint8Array | undefined): string {
  const bytes = Buffer.from(content ?? [])
  return bytes.toString(isUtf8(bytes) ? 'utf8' : 'latin1')
}
