import type { AnyNode, ExportAllDeclaration, ExportNamedDeclaration, ImportDeclaration, Program } from 'acorn'
import { ConstantValues, isRequire } from './constant-values.ts'
import type { ScanRule } from './finding-list.ts'
import { syntaxNodes } from './syntax-nodes.ts'

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

/** What loading a module of Node, or of the packages that everybody takes for it, means. */
const modules: Readonly<Record<string, ScanRule>> = {
  child_process: 'static/child-process',
  cluster: 'static/child-process',
  execa: 'static/child-process',
  'cross-spawn': 'static/child-process',
  vm: 'static/eval',
  repl: 'static/eval',
  inspector: 'static/internals',
  'inspector/promises': 'static/internals',
  ffi: 'static/native-code',
  wasi: 'static/wasm',
  net: 'static/network',
  tls: 'static/network',
  http: 'static/network',
  https: 'static/network',
  http2: 'static/network',
  dgram: 'static/network',
  dns: 'static/network',
  'dns/promises': 'static/network',
  undici: 'static/network',
  ws: 'static/network',
  axios: 'static/network',
}

/** Names that are so seldom anything else that they count wherever they stand, be it only as a text. */
const tellingTexts: Readonly<Record<string, ScanRule>> = {
  child_process: 'static/child-process',
  'node:child_process': 'static/child-process',
}

/** Properties that mean the same on every object. */
const tellingProperties: Readonly<Record<string, ScanRule>> = {
  _load: 'static/internals',
  _extensions: 'static/internals',
  _compile: 'static/internals',
  _resolveFilename: 'static/internals',
  _linkedBinding: 'static/internals',
  internalBinding: 'static/internals',
  setFlagsFromString: 'static/internals',
  dlopen: 'static/native-code',
}

/** Global things by their whole path. */
const paths: Readonly<Record<string, ScanRule>> = {
  eval: 'static/eval',
  'process.binding': 'static/internals',
  'process.mainModule': 'static/internals',
  'module.constructor': 'static/internals',
  'require.constructor': 'static/internals',
  'process.env': 'static/env',
  WebAssembly: 'static/wasm',
}

/** Things of the network that need no module; calling or constructing them counts. */
const networkCalls: ReadonlySet<string> = new Set(['fetch', 'WebSocket', 'EventSource', 'XMLHttpRequest'])

/** Objects of which it matters which part is used. */
const keyObjects: ReadonlySet<string> = new Set(['globalThis', 'process', 'module', 'require'])

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
    } else if (node.type === 'Property' && isOption(node, 'eval')) this.#found('static/eval', 'eval: true', node)
    if (textTypes.has(node.type)) this.#readText(node, parent)
  }

  #readCall(node: AnyNode & { readonly type: 'CallExpression' | 'NewExpression' }): void {
    const { callee } = node
    const [first] = node.arguments
    const path = this.#values.path(callee)
    if (isRequire(path) && first !== undefined) this.#loadComputed(first, node)
    if (path !== undefined && networkCalls.has(path)) this.#found('static/network', path, node)
    if ((path === 'setTimeout' || path === 'setInterval') && first !== undefined && this.#values.text(first) !== undefined) {
      this.#found('static/eval', `${path} of a text`, node)
    }
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
    else if (/^\.{0,2}\//.test(specifier)) this.loads.push(specifier)
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
    if (node.type === 'FunctionExpression' || node.type === 'ArrowFunctionExpression') return true
    if (node.type === 'MemberExpression' && this.#values.property(node) === 'constructor') return true
    if (node.type !== 'CallExpression') return false
    const [first] = node.arguments
    const path = this.#values.path(node.callee)
    return path?.endsWith('.getPrototypeOf') === true && first !== undefined && this.#isFunction(first)
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

/** Whether an object is given this option, as in `{eval: true}`. */
function isOption({ key, value }: AnyNode & { readonly type: 'Property' }, name: string): boolean {
  const named = (key.type === 'Identifier' && key.name === name) || (key.type === 'Literal' && key.value === name)
  return named && value.type === 'Literal' && value.value === true
}
