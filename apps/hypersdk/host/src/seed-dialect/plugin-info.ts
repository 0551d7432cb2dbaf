import { stripTypeScriptTypes } from 'node:module'
import { parse, type Expression, type ModuleDeclaration, type Program, type Statement } from 'acorn'
import { ConstantReader, isName } from './constant-value.ts'
import { seedErrors } from './errors.ts'

/**
 * Reads the constant `PluginInfo` that a module exports, without running the module. Undefined when the module exports
 * none. Errors: `SEED_SOURCE_UNREADABLE`, `SEED_INFO_NOT_CONSTANT`, `SEED_INFO_INCOMPLETE`, `SEED_FACTORY_MISSING`;
 * `SEED_NAMES_UNEXPORTED` for both names in lower case, which the guide warns of. Source: seed 000 "Symbol Not Found".
 */
export function readPluginInfo(source: string, path: string): Readonly<Record<string, unknown>> | undefined {
  // Parsing takes long; most modules are not ours.
  if (!/pluginInfo/i.test(source)) return undefined
  const program = parseModule(source, path)
  const names = exportsOf(program)
  const node = names.get('PluginInfo')
  if (node === undefined) {
    if (names.has('pluginInfo') && names.has('newProvider')) throw seedErrors.error('SEED_NAMES_UNEXPORTED', { path })
    return undefined
  }
  const info = new ConstantReader(program).read(node, '')
  if (info.kind === 'varies') {
    throw seedErrors.error('SEED_INFO_NOT_CONSTANT', { path, place: info.place || 'the value', name: 'name' })
  }
  if (typeof info.value !== 'object' || info.value === null || Array.isArray(info.value)) {
    throw seedErrors.error('SEED_INFO_INCOMPLETE', {
      path,
      field: 'to be an object',
      problem: `but is ${JSON.stringify(info.value)}`,
    })
  }
  if (!names.has('NewProvider') && !names.has('*')) throw seedErrors.error('SEED_FACTORY_MISSING', { path })
  return info.value as Readonly<Record<string, unknown>>
}

function parseModule(source: string, path: string): Program {
  try {
    const code = path.endsWith('.ts') ? stripTypeScriptTypes(source) : source
    const options = { ecmaVersion: 'latest', allowHashBang: true } as const
    try {
      return parse(code, { ...options, sourceType: 'module' })
    } catch (error) {
      if (path.endsWith('.mjs') || path.endsWith('.ts')) throw error
      return parse(code, { ...options, sourceType: 'script', allowReturnOutsideFunction: true })
    }
  } catch (error) {
    throw seedErrors.error('SEED_SOURCE_UNREADABLE', { path, reason: error instanceof Error ? error.message : String(error) })
  }
}

type Exports = Map<string, Expression | null>

/** What a module exports by name; null for what is there but is no expression. `*` stands for names of another module. */
function exportsOf(program: Program): Exports {
  const found: Exports = new Map()
  for (const statement of program.body) {
    esExports(statement, found)
    commonExports(statement, found)
  }
  return found
}

function esExports(statement: Statement | ModuleDeclaration, found: Exports): void {
  if (statement.type === 'ExportAllDeclaration') found.set('*', null)
  if (statement.type !== 'ExportNamedDeclaration') return
  const { declaration, specifiers, source } = statement
  if (declaration?.type === 'VariableDeclaration') {
    for (const { id, init } of declaration.declarations) if (id.type === 'Identifier') found.set(id.name, init ?? null)
  } else if (declaration) found.set(declaration.id.name, null)
  for (const { local, exported } of specifiers) {
    const name = exported.type === 'Identifier' ? exported.name : String(exported.value)
    found.set(name, source || local.type !== 'Identifier' ? null : local)
  }
}

/** `exports.PluginInfo = …`, `module.exports.PluginInfo = …`, `module.exports = { PluginInfo: … }`. */
function commonExports(statement: Statement | ModuleDeclaration, found: Exports): void {
  if (statement.type !== 'ExpressionStatement' || statement.expression.type !== 'AssignmentExpression') return
  const { left, right } = statement.expression
  if (left.type !== 'MemberExpression' || left.computed) return
  if (isModuleExports(left)) {
    for (const property of right.type === 'ObjectExpression' ? right.properties : []) {
      if (property.type === 'Property' && property.key.type === 'Identifier') found.set(property.key.name, property.value)
    }
  } else if ((isName(left.object, 'exports') || isModuleExports(left.object)) && left.property.type === 'Identifier') {
    found.set(left.property.name, right)
  }
}

function isModuleExports(node: Expression | { readonly type: string }): boolean {
  return node.type === 'MemberExpression' && 'object' in node && isName(node.object, 'module') && isName(node.property, 'exports')
}
