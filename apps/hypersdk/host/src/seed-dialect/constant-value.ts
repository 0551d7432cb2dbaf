import type { CallExpression, Expression, Pattern, Program, PrivateIdentifier, Property, SpreadElement } from 'acorn'

/** What an expression comes to without running anything, or where it stops being constant. */
export type ConstantValue =
  | { readonly kind: 'value'; readonly value: unknown }
  | { readonly kind: 'varies'; readonly place: string }

type Node = Expression | Pattern | PrivateIdentifier | SpreadElement | Property | null

const deepest = 32

/** Reads constants: literals, lists and objects of them, joined texts, `Object.freeze`, and names of other constants. */
export class ConstantReader {
  readonly #constants = new Map<string, Expression>()

  constructor(program: Program) {
    for (const statement of program.body) {
      const declared = statement.type === 'ExportNamedDeclaration' ? statement.declaration : statement
      if (declared?.type !== 'VariableDeclaration' || declared.kind !== 'const') continue
      for (const { id, init } of declared.declarations) if (id.type === 'Identifier' && init) this.#constants.set(id.name, init)
    }
  }

  /** `place` names the expression in messages: `capabilities.formats`. */
  read(node: Node, place: string, depth = 0): ConstantValue {
    if (node === null || depth > deepest) return { kind: 'varies', place }
    const below = (part: Node): ConstantValue => this.read(part, place, depth + 1)
    if (node.type === 'Literal') return 'regex' in node && node.regex ? { kind: 'varies', place } : value(node.value)
    if (node.type === 'TemplateLiteral' && node.expressions.length === 0) return value(node.quasis[0]?.value.cooked)
    if (node.type === 'Identifier' && node.name === 'undefined') return value(undefined)
    if (node.type === 'Identifier') return below(this.#constants.get(node.name) ?? null)
    if (node.type === 'UnaryExpression') return this.#unary(node.operator, below(node.argument), place)
    if (node.type === 'BinaryExpression') return this.#joined(node.operator, [below(node.left), below(node.right)], place)
    if (node.type === 'ArrayExpression') return this.#list(node.elements, place, depth)
    if (node.type === 'ObjectExpression') return this.#object(node.properties, place, depth)
    if (node.type === 'CallExpression' && freezes(node)) return below(node.arguments[0] ?? null)
    return { kind: 'varies', place }
  }

  #unary(operator: string, operand: ConstantValue, place: string): ConstantValue {
    if (operand.kind === 'varies') return operand
    if (operator === '-' && typeof operand.value === 'number') return value(-operand.value)
    return operator === '!' ? value(!operand.value) : { kind: 'varies', place }
  }

  #joined(operator: string, [left, right]: readonly [ConstantValue, ConstantValue], place: string): ConstantValue {
    if (left.kind === 'varies') return left
    if (right.kind === 'varies') return right
    const joins = operator === '+' && typeof left.value === 'string' && typeof right.value === 'string'
    return joins ? value(left.value + right.value) : { kind: 'varies', place }
  }

  #list(elements: readonly Node[], place: string, depth: number): ConstantValue {
    const found: unknown[] = []
    for (const [index, element] of elements.entries()) {
      const one = this.read(element, `${place}[${index}]`, depth + 1)
      if (one.kind === 'varies') return one
      found.push(one.value)
    }
    return value(found)
  }

  #object(properties: readonly (Property | SpreadElement)[], place: string, depth: number): ConstantValue {
    const found: Record<string, unknown> = {}
    for (const property of properties) {
      const key = property.type === 'Property' ? keyOf(property) : undefined
      if (property.type !== 'Property' || property.kind !== 'init' || key === undefined) return { kind: 'varies', place }
      const one = this.read(property.value, place === '' ? key : `${place}.${key}`, depth + 1)
      if (one.kind === 'varies') return one
      Object.defineProperty(found, key, { value: one.value, enumerable: true, writable: true, configurable: true })
    }
    return value(found)
  }
}

function value(constant: unknown): ConstantValue {
  return { kind: 'value', value: constant }
}

function keyOf(property: Property): string | undefined {
  if (property.computed) return undefined
  if (property.key.type === 'Identifier') return property.key.name
  return property.key.type === 'Literal' ? String(property.key.value) : undefined
}

/** `Object.freeze(…)` answers what it is given. */
function freezes({ callee, arguments: given }: CallExpression): boolean {
  if (callee.type !== 'MemberExpression' || given.length !== 1) return false
  return isName(callee.object, 'Object') && isName(callee.property, 'freeze')
}

/** Whether a node is just this name. */
export function isName(node: Node | { readonly type: string }, name: string): boolean {
  return node?.type === 'Identifier' && 'name' in node && node.name === name
}
