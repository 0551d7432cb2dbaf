import assert from 'node:assert/strict'
import { test } from 'node:test'
import { scanTree } from '../index.ts'

/** Rules found, sorted, without their `static/`. */
const rules = (source: string, path = 'index.js'): string => {
  const found = new Set(scanTree([{ path, bytes: Buffer.from(source) }]).map(({ rule }) => rule.replace('static/', '')))
  return [...found].sort().join(' ')
}

test('modules that start programs, run text, reach into Node or use the network are found however they are loaded', () => {
  const ways = (name: string): readonly string[] => [
    `import x from '${name}'`,
    `import '${name}'`,
    `export * from '${name}'`,
    `export { a } from '${name}'`,
    `await import('${name}')`,
    `require('${name}')`,
    `module.require('${name}')`,
    `process.getBuiltinModule('${name}')`,
    `globalThis.process.getBuiltinModule('${name}')`,
    `import { createRequire } from 'node:module'; createRequire(import.meta.url)('${name}')`,
    `import { createRequire } from 'node:module'; const load = createRequire('/'); load('${name}')`,
    `const { createRequire: c } = await import('module'); const r = c('/'); r('${name}')`,
    `const r = require; r('${name}')`,
    `const name = '${name}'; require(name)`,
  ]
  const expected: readonly (readonly [string, string])[] = [
    ['child_process', 'child-process'],
    ['node:cluster', 'child-process'],
    ['node:vm', 'eval'],
    ['inspector', 'internals'],
    ['node:ffi', 'native-code'],
    ['node:wasi', 'wasm'],
    ['https', 'network'],
  ]
  for (const [name, rule] of expected) for (const way of ways(name)) assert.equal(rules(way), rule, way)
})

const evasions: readonly (readonly [source: string, rule: string])[] = [
  ["globalThis['ev'+'al']('1')", 'eval'],
  ['globalThis[`ev${"al"}`]("1")', 'eval'],
  ['(0, eval)("1")', 'eval'],
  ['const e = eval; e("1")', 'eval'],
  ['window.self.global.eval("1")', 'eval'],
  ['\\u0065val("1")', 'eval'],
  ['global?.eval?.("1")', 'eval'],
  ['[1].map(eval)', 'eval'],
  ['new Function("return 1")()', 'eval'],
  ['Function("return 1")()', 'eval'],
  ['const F = Function; F("1")', 'eval'],
  ['Reflect.construct(Function, ["1"])', 'eval'],
  ['(() => {}).constructor("1")()', 'eval'],
  ['[].constructor.constructor("1")()', 'eval'],
  ['[]["constr"+"uctor"]["constructor"]("1")()', 'eval'],
  ['Object.getPrototypeOf(async function () {}).constructor("1")', 'eval'],
  ['const A = (async () => {}).constructor; new A("1")', 'eval'],
  ['function f() {} f.constructor("1")()', 'eval'],
  ['(() => {}).__proto__.constructor("1")', 'eval'],
  ['let e; ({ eval: e } = globalThis)', 'eval'],
  ['this["eval"]("1")', 'eval'],
  ['new Worker(code, { eval: !0 })', 'eval'],
  ['new Worker(code, { ["ev" + "al"]: on })', 'eval'],
  ['new Worker(new URL("data:text/javascript,1"))', 'eval'],
  ['setTimeout("run()", 1)', 'eval'],
  ['new Worker("1", { eval: true })', 'eval'],
  ['await import("data:text/javascript,run()")', 'eval'],
  ["require('child_'+'process')", 'child-process'],
  [
    `require(${Array.from('child_process')
      .map((letter) => `'${letter}'`)
      .join('+')})`,
    'child-process',
  ],
  [`require(''+${"''+".repeat(300)}'child_process')`, 'child-process'],
  ["require(['child', 'process'].join('_'))", 'child-process'],
  ["require('ssecorp_dlihc'.split('').reverse().join(''))", 'child-process'],
  ["require(atob('Y2hpbGRfcHJvY2Vzcw=='))", 'child-process'],
  ["require(Buffer.from('6368696c645f70726f63657373', 'hex').toString())", 'child-process'],
  ['require(String.fromCharCode(99,104,105,108,100,95,112,114,111,99,101,115,115))', 'child-process'],
  ["require(decodeURIComponent('%63hild_process'))", 'child-process'],
  ["require('\\x63hild_process')", 'child-process'],
  ["const a = 'child_', b = a + 'process'; load(b)", 'child-process'],
  ["require.call(null, 'child_process')", 'child-process'],
  ["Reflect.apply(require, null, ['child_process'])", 'child-process'],
  ["process.mainModule.require('child_process')", 'child-process internals'],
  ['process.execve("/bin/sh", [])', 'child-process'],
  ['require.extensions[".txt"] = load', 'internals'],
  ['import { registerHooks } from "node:module"; registerHooks({})', 'internals'],
  ['process.binding("spawn_sync")', 'internals'],
  ["process['bind'+'ing']('fs')", 'internals'],
  ['const { binding } = process; binding("fs")', 'internals'],
  ['const p = process; p.binding("fs")', 'internals'],
  ['import p from "node:process"; p.binding("fs")', 'internals'],
  ['import { binding } from "process"; binding("fs")', 'internals'],
  ['process._linkedBinding("x")', 'internals'],
  ["module.constructor._load('x')", 'internals'],
  ["require('module')._load('x')", 'internals'],
  ['const { _load } = require("module")', 'internals'],
  ['require("node:v8").setFlagsFromString("--x")', 'internals'],
  ['process.dlopen({ exports: {} }, "/tmp/x")', 'native-code'],
  ["require('./build/x.node')", 'native-code'],
  ['WebAssembly.instantiate(bytes)', 'wasm'],
  ['fetch("https://example.org")', 'network'],
  ['new WebSocket("wss://example.org")', 'network'],
  ['process.env.TOKEN', 'env'],
  ['const { env } = process; send(env.TOKEN)', 'env'],
  ['import { env } from "node:process"; send(env.TOKEN)', 'env'],
  ['require(name)', 'computed-import'],
  ['await import(`./${name}.js`)', 'computed-import'],
  ['globalThis[name]()', 'computed-access'],
  ['process[a + b]', 'computed-access'],
]

test('what is hidden behind joined names, aliases and other spellings is found', () => {
  for (const [source, rule] of evasions)
    assert.equal(rules(source, source.startsWith('import {') ? 'a.mjs' : 'a.js'), rule, source)
})

test('what a static look cannot see stays unseen, which is why permissions and not findings decide', () => {
  const unseen = [
    "let s = ''; for (const c of 'dijme`qspdftt') s += String.fromCharCode(c.charCodeAt(0) - 1); const k = { s }; k.s",
    "const give = (x) => x; give(globalThis).eval('1')",
    "const get = (o, k) => o[k]; get(globalThis, 'ev' + 'al')('1')",
  ]
  for (const source of unseen) assert.equal(rules(source), '', source)
})
