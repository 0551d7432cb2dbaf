import type { AnyNode, CallExpression, Program } from 'acorn'
import { syntaxNodes } from './syntax-nodes.ts'

/** Longer texts are not put together. */
const longestText = 4096
/** Names that lead to names, and parts in parts, are followed so far. */
const deepest = 200

/** What a name of the source stands for: something that was written beside it, or a part of a module. */
type Meaning = { readonly kind: 'node'; readonly node: AnyNode } | { readonly kind: 'path'; readonly path: string }

/**
 * What can be known of a program without running it: the text that `'ev' + 'al'` is, and the global thing that `p.binding` is
 * after `const p = process`. A name counts for what it was first declared with, if it is declared once; what is put together in
 * a loop, by a function of the program, or from outside is not known.
 */
export class ConstantValues {
  readonly #meanings = new Map<string, Meaning | undefined>()
  readonly #texts = new Map<AnyNode, string | undefined>()
  readonly #paths = new Map<AnyNode, string | undefined>()
  #depth = 0

  constructor(program: Program) {
    for (const { node } of syntaxNodes(program)) {
      if (node.type === 'VariableDeclarator' && node.init != null) this.#declare(node.id, node.init)
      else if (node.type === 'ImportDeclaration') {
        for (const part of node.specifiers) {
          const module = modulePath(node.source.value)
          const name = part.type === 'ImportSpecifier' ? textOfName(part.imported) : undefined
          const path = name === undefined || name === 'default' ? module : `${module}.${name}`
          this.#mean(part.local.name, { kind: 'path', path })
        }
      }
    }
  }

  /** The text that an expression always is; undefined when that cannot be known. */
  text(node: AnyNode): string | undefined {
    return this.#once(this.#texts, node, () => this.#textOf(node))
  }

  /** The name of the global thing that an expression is, such as `process.binding`; undefined for anything else. */
  path(node: AnyNode): string | undefined {
    return this.#once(this.#paths, node, () => this.#pathOf(node))
  }

  /** The property that a member expression names; undefined when it is computed and cannot be known. */
  property(node: AnyNode): string | undefined {
    if (node.type !== 'MemberExpression') return undefined
    if (!node.computed && node.property.type === 'Identifier') return node.property.name
    return this.text(node.property)
  }

  #once(known: Map<AnyNode, string | undefined>, node: AnyNode, find: () => string | undefined): string | undefined {
    if (known.has(node)) return known.get(node)
    if (this.#depth >= deepest) return undefined
    known.set(node, undefined)
    this.#depth += 1
    const found = find()
    this.#depth -= 1
    const value = found !== undefined && found.length > longestText ? undefined : found
    known.set(node, value)
    return value
  }

  #declare(target: AnyNode, init: AnyNode): void {
    if (target.type === 'Identifier') this.#mean(target.name, { kind: 'node', node: init })
    else if (target.type === 'ObjectPattern') {
      for (const part of target.properties) {
        if (part.type !== 'Property' || part.value.type !== 'Identifier') continue
        const name = part.computed ? undefined : textOfName(part.key)
        // What is taken out of an object is that object's property; written down as such, it is followed like one.
        if (name !== undefined) this.#mean(part.value.name, { kind: 'node', node: memberOf(init, part.key, name) })
      }
    }
  }

  #mean(name: string, meaning: Meaning): void {
    this.#meanings.set(name, this.#meanings.has(name) ? undefined : meaning)
  }

  #textOf(node: AnyNode): string | undefined {
    if (node.type === 'Literal') {
      return typeof node.value === 'string' || typeof node.value === 'number' ? String(node.value) : undefined
    }
    if (node.type === 'TemplateLiteral') {
      const parts = node.quasis.flatMap((quasi, index) => [
        quasi.value.cooked ?? undefined,
        ...node.expressions.slice(index, index + 1).map((each) => this.text(each)),
      ])
      return joined(parts)
    }
    if (node.type === 'BinaryExpression') return node.operator === '+' ? joined(this.#summands(node)) : undefined
    if (node.type === 'AssignmentExpression') return node.operator === '=' ? this.text(node.right) : undefined
    if (node.type === 'SequenceExpression') return this.#ofLast(node.expressions, (last) => this.text(last))
    if (node.type === 'CallExpression') return this.#textOfCall(node)
    const meaning = node.type === 'Identifier' ? this.#meanings.get(node.name) : undefined
    return meaning?.kind === 'node' ? this.text(meaning.node) : undefined
  }

  /** The parts of a sum, however many: they lie in one another to the left. */
  #summands(sum: AnyNode): readonly (string | undefined)[] {
    const parts: (string | undefined)[] = []
    let left = sum
    while (left.type === 'BinaryExpression' && left.operator === '+') {
      parts.push(this.text(left.right))
      left = left.left
    }
    parts.push(this.text(left))
    return parts.toReversed()
  }

  #textOfCall(node: CallExpression): string | undefined {
    const { callee } = node
    const [first, second] = node.arguments
    const path = this.path(callee)
    if (path === 'String.fromCharCode' || path === 'String.fromCodePoint') {
      const codes = node.arguments.map((each) => Number(this.text(each)))
      return codes.length <= longestText && codes.every((code) => Number.isInteger(code) && code >= 0 && code <= 0x10_ff_ff)
        ? String.fromCodePoint(...codes)
        : undefined
    }
    const coded = first === undefined ? undefined : this.text(first)
    if (path === 'atob' && coded !== undefined) return Buffer.from(coded, 'base64').toString('latin1')
    if (path === 'decodeURIComponent' || path === 'unescape')
      return coded?.replaceAll(/%([0-9a-f]{2})/gi, (_, hex: string) => String.fromCodePoint(Number.parseInt(hex, 16)))
    if (path === 'Buffer.from' && coded !== undefined) {
      const encoding = second === undefined ? 'utf8' : this.text(second)
      return encoding !== undefined && Buffer.isEncoding(encoding) ? Buffer.from(coded, encoding).toString() : undefined
    }
    if (callee.type !== 'MemberExpression') return undefined
    const method = this.property(callee)
    if (method === 'toString') return this.text(callee.object)
    if (method === 'concat') return joined([this.text(callee.object), ...node.arguments.map((each) => this.text(each))])
    if (method === 'join') {
      const parts = this.#listOf(callee.object)
      const between = first === undefined ? ',' : coded
      return parts === undefined || between === undefined
        ? undefined
        : joined(parts.flatMap((part, index) => (index === 0 ? [part] : [between, part])))
    }
    return undefined
  }

  /** Texts of an array, as written, split off a text, or turned round. */
  #listOf(node: AnyNode): readonly string[] | undefined {
    if (node.type === 'Identifier') {
      const meaning = this.#meanings.get(node.name)
      return meaning?.kind === 'node' && meaning.node.type === 'ArrayExpression' ? this.#listOf(meaning.node) : undefined
    }
    if (node.type === 'ArrayExpression') {
      const parts = node.elements.map((each) => (each === null ? '' : this.text(each)))
      return parts.every((part) => part !== undefined) ? parts : undefined
    }
    if (node.type !== 'CallExpression' || node.callee.type !== 'MemberExpression') return undefined
    const method = this.property(node.callee)
    if (method === 'reverse') return node.callee.object === node ? undefined : this.#listOf(node.callee.object)?.toReversed()
    const [separator] = node.arguments
    const by = separator === undefined ? undefined : this.text(separator)
    return method === 'split' && by !== undefined ? this.text(node.callee.object)?.split(by) : undefined
  }

  #pathOf(node: AnyNode): string | undefined {
    if (node.type === 'Identifier') return this.#pathOfName(node.name)
    if (node.type === 'MemberExpression') return this.#pathOfMember(node)
    if (node.type === 'CallExpression') return this.#pathOfCall(node)
    if (node.type === 'SequenceExpression') return this.#ofLast(node.expressions, (last) => this.path(last))
    if (node.type === 'AwaitExpression') return this.path(node.argument)
    if (node.type === 'ChainExpression') return this.path(node.expression)
    if (node.type === 'LogicalExpression') return this.path(node.left) ?? this.path(node.right)
    const module = node.type === 'ImportExpression' ? this.text(node.source) : undefined
    return module === undefined ? undefined : modulePath(module)
  }

  #pathOfName(name: string): string | undefined {
    if (!this.#meanings.has(name)) return globalObjects.has(name) ? 'globalThis' : name
    const meaning = this.#meanings.get(name)
    if (meaning === undefined) return undefined
    return meaning.kind === 'path' ? meaning.path : this.path(meaning.node)
  }

  #pathOfMember(node: AnyNode & { readonly type: 'MemberExpression' }): string | undefined {
    const [object, property] = [this.path(node.object), this.property(node)]
    if (object === undefined || property === undefined) return undefined
    if (object === 'globalThis') return globalObjects.has(property) ? 'globalThis' : property
    return property === 'default' && object.startsWith('module:') ? object : `${object}.${property}`
  }

  #pathOfCall({ callee, arguments: [first] }: CallExpression): string | undefined {
    const path = this.path(callee)
    if (path?.endsWith('createRequire') === true) return 'require'
    const name = isRequire(path) && first !== undefined ? this.text(first) : undefined
    return name === undefined ? undefined : modulePath(name)
  }

  #ofLast(nodes: readonly AnyNode[], find: (last: AnyNode) => string | undefined): string | undefined {
    const last = nodes.at(-1)
    return last === undefined ? undefined : find(last)
  }
}

const globalObjects: ReadonlySet<string> = new Set(['globalThis', 'global', 'self', 'window'])

/** Whether calling what has this path loads a module. */
export function isRequire(path: string | undefined): boolean {
  return path !== undefined && /(?:^|\.)(?:require|getBuiltinModule)$/.test(path)
}

/** A module as the beginning of a path. What is also a global has the name of the global. */
function modulePath(specifier: unknown): string {
  const name = String(specifier).replace(/^node:/, '')
  return name === 'process' ? name : `module:${name}`
}

function textOfName(node: AnyNode): string | undefined {
  return node.type === 'Identifier'
    ? node.name
    : node.type === 'Literal' && typeof node.value === 'string'
      ? node.value
      : undefined
}

function memberOf(object: AnyNode, key: AnyNode, name: string): AnyNode {
  const { start, end } = key
  return {
    type: 'MemberExpression',
    start,
    end,
    object,
    property: { type: 'Identifier', start, end, name },
    computed: false,
    optional: false,
  } as AnyNode
}

function joined(parts: readonly (string | undefined)[]): string | undefined {
  let text = ''
  for (const part of parts) {
    if (part === undefined || text.length > longestText) return undefined
    text += part
  }
  return text
}
