import { isAlias, isMap, isScalar, isSeq, LineCounter, parseDocument, type Document, type Node } from 'yaml'

/** One thing wrong in a configuration, as an operator finds it again. */
export interface ConfigProblem {
  readonly file: string
  /** From 1. */
  readonly line: number
  /** From 1. */
  readonly column: number
  /** Such as `plugins.providers.libvirt.timeout`; empty for the whole file. */
  readonly path: string
  readonly message: string
}

/** A YAML text as plain values, with the place of each of them. */
export interface YamlTree {
  readonly value: unknown
  readonly problems: readonly ConfigProblem[]
  /** What was understood although it is not clean; worth a warning. */
  readonly notices: readonly ConfigProblem[]
  /** Makes a problem at a path; for a path that is not there, at its nearest ancestor. */
  readonly problem: (path: readonly PropertyKey[], message: string) => ConfigProblem
}

/** Nodes one document may come to, aliases counted each time they are used: keeps alias bombs small. */
const mostNodes = 10_000

/**
 * Parses a configuration. A key given twice is a problem, except for one pair that old files have: `enabled` once as a
 * switch and once as a list, of which the list is read as `allow`, with a notice.
 * Source: seed 000 "Advanced Configuration".
 */
export function parseYamlTree(text: string, file: string): YamlTree {
  const lines = new LineCounter()
  const document = parseDocument(text, { uniqueKeys: false, lineCounter: lines, prettyErrors: false })
  const reader = new TreeReader(document, lines, file)
  for (const error of document.errors) reader.problems.push(reader.at(error.pos[0], '', firstLine(error.message)))
  const value = document.errors.length === 0 ? reader.read(document.contents, []) : undefined
  return {
    value: value ?? {},
    problems: reader.problems,
    notices: reader.notices,
    problem: (path, message) => reader.problemAt(path, message),
  }
}

class TreeReader {
  readonly problems: ConfigProblem[] = []
  readonly notices: ConfigProblem[] = []
  readonly #document: Document
  readonly #lines: LineCounter
  readonly #file: string
  readonly #offsets = new Map<string, number>()
  #nodes = 0

  constructor(document: Document, lines: LineCounter, file: string) {
    this.#document = document
    this.#lines = lines
    this.#file = file
  }

  at(offset: number, path: string, message: string): ConfigProblem {
    const { line, col } = this.#lines.linePos(offset)
    return { file: this.#file, line: Math.max(line, 1), column: Math.max(col, 1), path, message }
  }

  problemAt(path: readonly PropertyKey[], message: string): ConfigProblem {
    let offset: number | undefined
    for (let length = path.length; offset === undefined && length >= 0; length--) {
      offset = this.#offsets.get(pathText(path.slice(0, length)))
    }
    return this.at(offset ?? 0, pathText(path), message)
  }

  read(node: Node | null, path: readonly PropertyKey[]): unknown {
    if (++this.#nodes > mostNodes) {
      if (this.#nodes === mostNodes + 1)
        this.problems.push(this.problemAt(path, `the file comes to more than ${mostNodes} values`))
      return null
    }
    if (isAlias(node)) return this.read(node.resolve(this.#document) ?? null, path)
    if (isMap<unknown, Node | null>(node)) return this.#readMap(node.items, path)
    if (isSeq<Node>(node)) {
      return node.items.map((item, index) => {
        this.#mark(item, [...path, index])
        return this.read(item, [...path, index])
      })
    }
    return isScalar(node) ? node.value : null
  }

  #readMap(pairs: readonly { key: unknown; value: Node | null }[], path: readonly PropertyKey[]): Record<string, unknown> {
    const result: Record<string, unknown> = {}
    for (const pair of pairs) {
      const key = isScalar(pair.key) ? String(pair.key.value) : undefined
      const here = [...path, key ?? '?']
      if (key === undefined || ['__proto__', 'constructor', 'prototype'].includes(key)) {
        this.problems.push(this.at(offsetOf(pair.key), pathText(here), 'this cannot be a key'))
        continue
      }
      const given = Object.hasOwn(result, key)
      if (!given) this.#mark(pair.key, here)
      const value = this.read(pair.value, here)
      if (given) this.#settleDuplicate(result, value, { key, path: here, offset: offsetOf(pair.key) })
      else result[key] = value
    }
    return result
  }

  #settleDuplicate(
    result: Record<string, unknown>,
    value: unknown,
    place: { key: string; path: readonly PropertyKey[]; offset: number },
  ): void {
    const pair = [result[place.key], value]
    const list = pair.find((one) => Array.isArray(one))
    const flag = pair.find((one) => typeof one === 'boolean')
    if (pathText(place.path) !== 'plugins.enabled' || list === undefined || flag === undefined || 'allow' in result) {
      this.problems.push(this.at(place.offset, pathText(place.path), 'this key is given twice'))
      return
    }
    result['enabled'] = flag
    result['allow'] = list
    this.#offsets.set('plugins.allow', place.offset)
    const message = 'enabled is given twice: the list is read as allow; write allow: for it'
    this.notices.push(this.at(place.offset, pathText(place.path), message))
  }

  #mark(node: unknown, path: readonly PropertyKey[]): void {
    this.#offsets.set(pathText(path), offsetOf(node))
  }
}

/** Writes a path as `a.b[2].c`. */
export function pathText(path: readonly PropertyKey[]): string {
  return path.map((part, index) => (typeof part === 'number' ? `[${part}]` : `${index === 0 ? '' : '.'}${String(part)}`)).join('')
}

function offsetOf(node: unknown): number {
  const range: unknown = typeof node === 'object' && node !== null ? Reflect.get(node, 'range') : undefined
  return Array.isArray(range) && typeof range[0] === 'number' ? range[0] : 0
}

function firstLine(text: string): string {
  return text.split('\n')[0] ?? text
}
