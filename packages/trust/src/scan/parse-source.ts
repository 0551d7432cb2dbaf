import { Parser, type Program } from 'acorn'

/** Source as a tree, or why it is none. */
export type ParsedSource =
  | { readonly kind: 'parsed'; readonly program: Program }
  | { readonly kind: 'failed'; readonly reason: string; readonly line: number | undefined }

/**
 * The parser without its search for names declared twice: that looks through all names for each name, and would take minutes
 * for a file made for it. Node finds such names itself.
 */
const LinearParser = Parser.extend((Base) => {
  class Undeclaring extends Base {
    declareName(): undefined {
      return undefined
    }
    checkLocalExport(): undefined {
      return undefined
    }
  }
  return Undeclaring
})

/** Parses JavaScript as Node would: `.mjs` as a module, `.cjs` as CommonJS, anything else as whichever it is. */
export function parseSource(source: string, file: string): ParsedSource {
  const types = file.endsWith('.mjs')
    ? (['module'] as const)
    : file.endsWith('.cjs')
      ? (['commonjs'] as const)
      : (['module', 'commonjs'] as const)
  let failed: ParsedSource | undefined
  for (const sourceType of types) {
    try {
      return { kind: 'parsed', program: LinearParser.parse(source, { sourceType, ecmaVersion: 'latest' }) }
    } catch (error) {
      failed ??= failure(error)
    }
  }
  return failed ?? { kind: 'failed', reason: 'it was not tried', line: undefined }
}

function failure(error: unknown): ParsedSource {
  if (!(error instanceof Error)) return { kind: 'failed', reason: String(error), line: undefined }
  const place: unknown = Reflect.get(error, 'loc')
  const line: unknown = typeof place === 'object' && place !== null ? Reflect.get(place, 'line') : undefined
  return { kind: 'failed', reason: error.message, line: typeof line === 'number' ? line : undefined }
}
