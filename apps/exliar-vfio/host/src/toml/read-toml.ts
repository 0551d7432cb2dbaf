import { getStaticTOMLValue, parseTOML, type AST } from 'toml-eslint-parser'
import { exliarErrors } from '../errors.ts'

/** A TOML file that was read. */
export interface TomlFile {
  /** As it is named in messages. */
  readonly file: string
  readonly value: Readonly<Record<string, unknown>>
  /** `file:line:column` of the value at a path, or of the nearest thing around it that is written down. */
  readonly locate: (path: readonly (string | number)[]) => string
}

/** Names that stand for something else in JavaScript. */
const forbidden = new Set(['__proto__', 'constructor', 'prototype'])
const mostBytes = 1024 * 1024

/** Reads TOML 1.0 with the places of its values. Errors: `TOML_INVALID` with line and column. */
export function readToml(text: string, file: string): TomlFile {
  if (text.length > mostBytes) throw invalid(file, 1, 1, `the file is larger than ${mostBytes} bytes`)
  const program = parsed(text, file)
  const places = new Map<string, AST.SourceLocation>()
  const [table] = program.body
  collect(table, [], places, file)
  return {
    file,
    value: getStaticTOMLValue(program),
    locate: (path) => {
      for (let length = path.length; length > 0; length--) {
        const found = places.get(keyOf(path.slice(0, length)))
        if (found !== undefined) return `${file}:${found.start.line}:${found.start.column + 1}`
      }
      return `${file}:1:1`
    },
  }
}

function parsed(text: string, file: string): AST.TOMLProgram {
  try {
    return parseTOML(text, { tomlVersion: '1.0' })
  } catch (error) {
    const { lineNumber, column, message } = error as { lineNumber?: number; column?: number; message: string }
    throw invalid(file, lineNumber ?? 1, (column ?? 0) + 1, message)
  }
}

type Path = readonly (string | number)[]
type Node = AST.TOMLTopLevelTable | AST.TOMLTable | AST.TOMLKeyValue | AST.TOMLContentNode

function collect(node: Node, path: Path, places: Map<string, AST.SourceLocation>, file: string): void {
  switch (node.type) {
    case 'TOMLTopLevelTable':
      for (const part of node.body) collect(part, path, places, file)
      return
    case 'TOMLTable':
      noteKeys(node.key, file)
      places.set(keyOf(node.resolvedKey), node.loc)
      for (const part of node.body) collect(part, node.resolvedKey, places, file)
      return
    case 'TOMLKeyValue': {
      noteKeys(node.key, file)
      const at = [...path, ...node.key.keys.map((key) => (key.type === 'TOMLBare' ? key.name : key.value))]
      places.set(keyOf(at), node.key.loc)
      collect(node.value, at, places, file)
      return
    }
    case 'TOMLInlineTable':
      for (const part of node.body) collect(part, path, places, file)
      return
    case 'TOMLArray':
      node.elements.forEach((element, index) => {
        places.set(keyOf([...path, index]), element.loc)
        collect(element, [...path, index], places, file)
      })
      return
    case 'TOMLValue':
  }
}

function noteKeys({ keys, loc }: AST.TOMLKey, file: string): void {
  for (const key of keys) {
    const name = key.type === 'TOMLBare' ? key.name : key.value
    if (forbidden.has(name)) throw invalid(file, loc.start.line, loc.start.column + 1, `the key ${name} is not allowed`)
  }
}

function keyOf(path: Path): string {
  return JSON.stringify(path)
}

function invalid(file: string, line: number, column: number, problem: string): Error {
  return exliarErrors.error('TOML_INVALID', { file, line, column, problem })
}
