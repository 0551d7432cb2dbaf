import type { AnyNode, ExportAllDeclaration, ExportNamedDeclaration, ImportDeclaration, Program } from 'acorn'
import { ConstantValues, isRequire } from './constant-values.ts'
import type { ScanRule } from './finding-list.ts'
import { syntaxNodes } from './syntax-nodes.ts'
import { keyObjects, modules, networkCalls, paths, tellingProperties, tellingTexts } from './telling-names.ts'

/** One thing that a program does, where, and with what name. */
export interface CodeFinding {
  readonly rule: ScanRule
  readonly what: string
  /** In UTF-16 units of the source. */
  readonly offset: number
}

/** What a program does, as far as that can be seen. */
export interface CodeReading {
  readonly findings: readonly CodeFinding[]
  /** Modules of the package that it loads, as it names them. */
  readonly loads: readonly string[]
}

/** Looks through a program. */
export function readCode(program: Program): CodeReading {
  const reader = new CodeReader(program)
  for (const { node, parent } of syntaxNodes(program)) reader.read(node, parent)
  return reader
}

class CodeReader {
  readonly findings: CodeFinding[] = []
  readonly loads: string[] = []
  readonly #values: ConstantValues
  #mangledNames = 0

  constructor(program: Program) {
    this.#values = new ConstantValues(program)
  }

  read(node: AnyNode, parent: AnyNode | undefined): void {
    if (node.type === 'Identifier') this.#readName(node, parent)
    else if (node.type === 'MemberExpression') this.#readMember(node, parent)
    else if (node.type === 'CallExpression' || node.type === 'NewExpression') this.#readCall(node)
    else if (node.type === 'ImportExpression') this.#loadComputed(node.source, node)
    else if (isDeclarationOfImports(node)) {
      if (node.source != null) this.#load(String(node.source.value), node)
    } else if (node.type === 'Property') this.#readProperty(node, parent)
    if (textTypes.has(node.type)) this.#readText(node, parent)
  }

  /** `{eval: true}` makes a worker of a text, and `({eval: e} = globalThis)` takes it. */
  #readProperty({ key, value, computed }: AnyNode & { readonly type: 'Property' }, parent: AnyNode | undefined): void {
    const name = !computed && key.type === 'Identifier' ? key.name : this.#values.text(key)
    if (name !== 'eval') return
    const isOff = (value.type === 'Literal' && value.value !== true) || (value.type === 'UnaryExpression' && isNotOne(value))
    const isFunction = value.type === 'FunctionExpression' || value.type === 'ArrowFunctionExpression'
    if (parent?.type === 'ObjectPattern' || !(isOff || isFunction)) this.#found('static/eval', 'eval', key)
  }

  #readCall(node: AnyNode & { readonly type: 'CallExpression' | 'NewExpression' }): void {
    const { callee } = node
    const [first] = node.arguments
    const path = this.#values.path(callee)
    if (isRequire(path) && first !== undefined) this.#loadComputed(first, node)
    if (path !== undefined && networkCalls.has(path)) this.#found('static/network', path, node)
    if (node.type === 'CallExpression' && first !== undefined && this.#isConstructorOfOther(callee)) {
      this.#found('static/eval', 'a constructor called as a function', node)
    }
    if (path?.endsWith('Worker') === true && first !== undefined) this.#loadWorker(first)
    if ((path === 'setTimeout' || path === 'setInterval') && first !== undefined && this.#values.text(first) !== undefined) {
      this.#found('static/eval', `${path} of a text`, node)
    }
  }

  /** Classes are never called so; a function's constructor makes a function of a text. */
  #isConstructorOfOther(callee: AnyNode): boolean {
    if (callee.type !== 'MemberExpression' || callee.object.type === 'ThisExpression') return false
    return this.#values.property(callee) === 'constructor'
  }

  #loadWorker(source: AnyNode): void {
    const address = source.type === 'NewExpression' ? source.arguments[0] : source
    const name = address === undefined ? undefined : this.#values.text(address)
    if (name !== undefined && /^(?:\.{1,2}\/|data:)/i.test(name)) this.#load(name, source)
  }

  #loadComputed(source: AnyNode, node: AnyNode): void {
    const name = this.#values.text(source)
    if (name === undefined) this.#found('static/computed-import', 'it is known only when it runs', node)
    else this.#load(name, node)
  }

  #load(specifier: string, node: AnyNode): void {
    const name = specifier.replace(/^node:/, '')
    if (Object.hasOwn(modules, name)) this.#found(modules[name] ?? 'static/internals', name, node)
    else if (/^data:/i.test(specifier)) this.#found('static/eval', 'a module that is written as an address', node)
    else if (specifier.endsWith('.node')) this.#found('static/native-code', specifier, node)
    else if (specifier.includes('/')) this.loads.push(specifier)
  }

  #readText(node: AnyNode, parent: AnyNode | undefined): void {
    if (parent?.type === 'ImportDeclaration' || (parent?.type === 'BinaryExpression' && parent.operator === '+')) return
    const text = this.#values.text(node)
    if (text !== undefined && Object.hasOwn(tellingTexts, text)) this.#found(tellingTexts[text] ?? 'static/internals', text, node)
  }

  #readMember(node: AnyNode & { readonly type: 'MemberExpression' }, parent: AnyNode | undefined): void {
    const property = this.#values.property(node)
    const object = this.#values.path(node.object)
    if (property === undefined) {
      if (object !== undefined && keyObjects.has(object)) this.#found('static/computed-access', `a part of ${object}`, node)
      return
    }
    if (Object.hasOwn(tellingProperties, property)) this.#found(tellingProperties[property] ?? 'static/internals', property, node)
    if ((property === 'eval' || property === 'Function') && node.object.type === 'ThisExpression') {
      this.#found('static/eval', property, node)
    }
    if (property === 'constructor' && this.#isFunction(node.object))
      this.#found('static/eval', 'the constructor of a function', node)
    this.#readPath(this.#values.path(node), node, parent)
  }

  #readName(node: AnyNode & { readonly type: 'Identifier' }, parent: AnyNode | undefined): void {
    if (/^_0x[0-9a-f]{3,}$/i.test(node.name)) {
      this.#mangledNames += 1
      if (this.#mangledNames === mostMangledNames) this.#found('static/obfuscated', `names such as ${node.name}`, node)
    }
    if (isOnlyName(node, parent)) {
      const taken = parent?.type === 'Property' && Object.hasOwn(tellingProperties, node.name)
      if (taken) this.#found(tellingProperties[node.name] ?? 'static/internals', node.name, node)
      return
    }
    this.#readPath(this.#values.path(node), node, parent)
  }

  #readPath(path: string | undefined, node: AnyNode, parent: AnyNode | undefined): void {
    if (path === undefined) return
    if (path === 'Function') {
      const harmless =
        (parent?.type === 'MemberExpression' && parent.object === node && this.#values.property(parent) === 'prototype') ||
        (parent?.type === 'BinaryExpression' && parent.operator !== '+')
      if (!harmless) this.#found('static/eval', 'Function', node)
    } else if (Object.hasOwn(paths, path)) this.#found(paths[path] ?? 'static/internals', path, node)
  }

  /** A function as written, or the prototype or constructor of anything, which is one. */
  #isFunction(node: AnyNode): boolean {
    let of = node
    while (of.type === 'MemberExpression' && this.#values.property(of) === '__proto__') of = of.object
    if (of.type === 'FunctionExpression' || of.type === 'ArrowFunctionExpression') return true
    if (of.type === 'MemberExpression') return this.#values.property(of) === 'constructor'
    if (of.type !== 'CallExpression') return false
    const [first] = of.arguments
    return this.#values.path(of.callee)?.endsWith('.getPrototypeOf') === true && first !== undefined && this.#isFunction(first)
  }

  #found(rule: ScanRule, what: string, { start }: AnyNode): void {
    this.findings.push({ rule, what, offset: start })
  }
}

/** So many names as obfuscators write them are no accident. */
const mostMangledNames = 10

/** Expressions that may be put together to a text. */
const textTypes: ReadonlySet<AnyNode['type']> = new Set(['Literal', 'TemplateLiteral', 'BinaryExpression', 'CallExpression'])

/** Nodes in which an identifier is never the use of what it names. */
const namingTypes: ReadonlySet<AnyNode['type'] | undefined> = new Set([
  'LabeledStatement',
  'BreakStatement',
  'ContinueStatement',
  'ImportSpecifier',
  'ImportDefaultSpecifier',
  'ImportNamespaceSpecifier',
])

/** Whether an identifier is the name of something else and not a use of what it names. */
function isOnlyName(node: AnyNode, parent: AnyNode | undefined): boolean {
  if (parent?.type === 'MemberExpression') return parent.property === node && !parent.computed
  if (parent?.type === 'Property' || parent?.type === 'PropertyDefinition' || parent?.type === 'MethodDefinition') {
    return parent.key === node && !parent.computed && parent.value !== node
  }
  return namingTypes.has(parent?.type) || (parent?.type === 'VariableDeclarator' && parent.id === node)
}

type DeclarationOfImports = ImportDeclaration | ExportAllDeclaration | ExportNamedDeclaration

function isDeclarationOfImports(node: AnyNode): node is DeclarationOfImports {
  return node.type === 'ImportDeclaration' || node.type === 'ExportAllDeclaration' || node.type === 'ExportNamedDeclaration'
}

/** `!1`, which is how minified code writes `false`. */
function isNotOne({ operator, argument }: AnyNode & { readonly type: 'UnaryExpression' }): boolean {
  return operator === '!' && argument.type === 'Literal' && argument.value === 1
}
