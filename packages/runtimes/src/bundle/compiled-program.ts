import { Script } from 'node:vm'

/** A program and what the engine made of it, so that a fresh process or worker need not read all of it before it runs. */
export interface CompiledProgram {
  /** One function of `require` and of what imports a module by its URL. */
  readonly text: string
  /** The engine's own; good for this version of it alone, and passed over by any other. */
  readonly code: Buffer
}

/** Compiles the text of a CommonJS module that uses nothing but `require`, and imports by nothing but URLs. */
export function compileProgram(module: string): CompiledProgram {
  // A script that is compiled apart has no place to import from.
  const text = `(function (require, importModule) {${module.replaceAll(/\bimport\(/g, 'importModule(')}\n})`
  return { text, code: new Script(text).createCachedData() }
}

/** The module that runs a compiled program, which lies beside it in files of these names. */
export function launcherOf(text: string, code: string): string {
  return `'use strict'
const { readFileSync } = require('node:fs')
const { Script } = require('node:vm')
const beside = (name) => \`\${__dirname}/\${name}\`
const filename = beside(${JSON.stringify(text)})
const script = new Script(readFileSync(filename, 'utf8'), {
  filename,
  cachedData: readFileSync(beside(${JSON.stringify(code)})),
})
script.runInThisContext()(require, (url) => import(url))
`
}
