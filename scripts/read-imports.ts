import { parseSync } from 'oxc-parser'

/** One specifier a module mentions. */
export interface Import {
  readonly specifier: string
  /** `import type`, `export type … from`, `typeof import('…')`: gone when the code runs. */
  readonly isTypeOnly: boolean
}

/** Every specifier in a module: static and dynamic imports, re-exports, import types, `require` and `import.meta.resolve`. */
export function readImports(path: string, text: string): readonly Import[] {
  const { program, errors } = parseSync(path, text)
  if (errors.length > 0) throw new Error(`${path}: ${errors[0]?.message}`)
  const imports: Import[] = []
  collect(program, imports)
  return imports
}

function collect(node: unknown, into: Import[]): void {
  if (typeof node !== 'object' || node === null) return
  if (Array.isArray(node)) {
    for (const member of node) collect(member, into)
    return
  }
  const fields = node as Readonly<Record<string, unknown>>
  const specifier = textOf(fields['source']) ?? resolved(fields)
  if (specifier !== undefined) into.push({ specifier, isTypeOnly: isTypeOnly(fields) })
  for (const member of Object.values(fields)) collect(member, into)
}

function isTypeOnly({ type, importKind, exportKind, specifiers }: Readonly<Record<string, unknown>>): boolean {
  if (type === 'TSImportType' || importKind === 'type' || exportKind === 'type') return true
  if (!Array.isArray(specifiers) || specifiers.length === 0) return false
  return specifiers.every((each: Record<string, unknown>) => each['importKind'] === 'type' || each['exportKind'] === 'type')
}

/** The argument of `require('…')` and `import.meta.resolve('…')`. */
function resolved({ type, callee, arguments: values }: Readonly<Record<string, unknown>>): string | undefined {
  if (type !== 'CallExpression' || !Array.isArray(values)) return undefined
  const { name, object, property } = callee as Readonly<Record<string, Readonly<Record<string, unknown>>>>
  const isMeta = object?.['type'] === 'MetaProperty' && property?.['name'] === 'resolve'
  return isMeta || (name as unknown) === 'require' ? textOf(values[0]) : undefined
}

function textOf(node: unknown): string | undefined {
  const { type, value } = Object(node) as Readonly<Record<string, unknown>>
  return type === 'Literal' && typeof value === 'string' ? value : undefined
}
