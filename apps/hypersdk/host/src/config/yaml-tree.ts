import { forbiddenKeys } from '@backplane/sdk/strict-json'
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

/** What a text may come to. */
export interface YamlLimits {
  /** Values, aliases counted each time they are used: keeps alias bombs small. Default 10,000. */
  readonly values: number
  /** Default true. */
  readonly aliases: boolean
}

/** Levels of maps and lists; also where an alias to what it stands in ends. */
const deepest = 64

/**
 * Parses a configuration. A key given twice is a problem, except for one pair that old files have: `enabled` once as a
 * switch and once as a list, of which the list is read as `allow`, with a notice. The parser's own check for such keys
 * is not used: its time grows with the square of their number.
 * Source: seed 000 "Advanced Configuration".
 */
export function parseYamlTree(text: string, file: string, limits: Partial<YamlLimits> = {}): YamlTree {
  const lines = new LineCounter()
  const document = parseDocument(text, { uniqueKeys: false, lineCounter: lines, prettyErrors: false })
  const reader = new TreeReader(document, lines, { file, values: 10_000, aliases: true, ...limits })
  for (const error of document.errors) reader.problems.push(reader.at(error.pos[0], '', plainMessage(error)))
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
  readonly #source: YamlLimits & { readonly file: string }
  readonly #offsets = new Map<string, number>()
  #values = 0

  constructor(document: Document, lines: LineCounter, source: YamlLimits & { readonly file: string }) {
    this.#document = document
    this.#lines = lines
    this.#source = source
  }

  at(offset: number, path: string, message: string): ConfigProblem {
    const { line, col } = this.#lines.linePos(offset)
    return { file: this.#source.file, line: Math.max(line, 1), column: Math.max(col, 1), path, message }
  }

  problemAt(path: readonly PropertyKey[], message: string): ConfigProblem {
    let offset: number | undefined
    for (let length = path.length; offset === undefined && length >= 0; length--) {
      offset = this.#offsets.get(pathText(path.slice(0, length)))
    }
    return this.at(offset ?? 0, pathText(path), message)
  }

  read(node: Node | null, path: readonly PropertyKey[]): unknown {
    if (path.length > deepest) {
      this.problems.push(this.problemAt(path.slice(0, 1), `values are nested more than ${deepest} deep`))
      return null
    }
    const { values, aliases } = this.#source
    if (++this.#values > values) {
      if (this.#values === values + 1) this.problems.push(this.problemAt(path, `it comes to more than ${values} values`))
      return null
    }
    if (isAlias(node) && !aliases) {
      this.problems.push(this.at(offsetOf(node), pathText(path), 'aliases are not taken here'))
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
      if (key === undefined || forbiddenKeys.has(key)) {
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

/** What the parser says, without advice to programmers. */
function plainMessage({ code, message }: { readonly code: string; readonly message: string }): string {
  if (code === 'MULTIPLE_DOCS') return 'there is more than one document; keep one'
  if (message.startsWith('Maximum call stack')) return `values are nested more than ${deepest} deep`
  return message.split('\n')[0] ?? message
}
