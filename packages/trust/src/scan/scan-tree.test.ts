import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import { test } from 'node:test'
import * as fc from 'fast-check'
import { defaultScanLimits, scanTree, type Finding, type ScanLimits } from '../index.ts'

const file = (path: string, content: string | Uint8Array): { path: string; bytes: Uint8Array } => ({
  path,
  bytes: typeof content === 'string' ? Buffer.from(content) : content,
})
const scan = (source: string, path = 'index.js'): readonly Finding[] => scanTree([file(path, source)])
/** Rules found, sorted, without their `static/`. */
const rules = (source: string, path?: string): string => {
  const found = new Set(scan(source, path).map(({ rule }) => rule.replace('static/', '')))
  return [...found].sort().join(' ')
}

test('code that does none of it has no findings, also when it is minified', () => {
  const plain = `import { readFile } from 'node:fs/promises'
    import { definePlugin } from '@backplane/sdk'
    export default definePlugin({ async setup(scope) { scope.log.info(await readFile('a', 'utf8')) } })
    class A { constructor() { this.constructor.name } static [Symbol.iterator]() {} eval() {} }
    const o = { eval: false, process: 1, Function: 2 }; o.eval; x.binding; x.module; f instanceof Function; Function.prototype.call
    const text = 'the net of child processes'; setTimeout(() => 1, 5); a[b]; require('./other.js')`
  assert.deepEqual(scan(plain), [])
  const minified = Array.from({ length: 600 }, (_, i) => `function a${i}(e,t){return e===t?{x:e,y:t}:a${i + 1}(t,e)}`).join('')
  assert.deepEqual(scan(minified), [])
})

test('a finding names rule, file and line', () => {
  const [finding] = scanTree([file('dist/run.mjs', "// first\n\nimport { spawn } from 'node:child_process'\n")])
  assert.deepEqual(finding, {
    rule: 'static/child-process',
    severity: 'danger',
    file: 'dist/run.mjs',
    line: 3,
    message: 'starts other programs: child_process',
  })
})

test('packed and scrambled code is found, and a regular expression with numbers is not', () => {
  const hex = Array.from('require a module and run it with this and that, and again and again').map(
    (c) => `\\x${(c.codePointAt(0) ?? 0).toString(16)}`,
  )
  assert.equal(rules(`run("${hex.join('')}")`), 'obfuscated')
  const names = Array.from({ length: 12 }, (_, i) => `var _0x${(4096 + i).toString(16)} = ${i};`).join('')
  assert.equal(rules(names), 'obfuscated')
  assert.equal(rules('(![]+[])[+[]]+'.repeat(200) + '[]'), 'obfuscated')
  assert.equal(rules(`const data = '${randomBytes(6000).toString('base64')}'`), 'encoded-data')
  assert.equal(rules('const printable = /^[\\x20-\\x7e]+$/; const face = "\\u263a"'), '')
})

test('characters that nobody sees are found in source and in JSON', () => {
  const hidden = [
    '// \u202E reversed',
    'const a = "\u2066x"',
    'const pro\u200Ccess = 1',
    'const \u3164 = 1',
    `f(\`${'\uFE00\uFE01'.repeat(4)}\`)`,
    'a = "\u{E0041}"',
    'x = "\u200B"',
  ]
  for (const source of hidden) assert.equal(rules(source), 'hidden-unicode', JSON.stringify(source))
  assert.equal(rules('{"name": "\u202Egnp.exe"}', 'a.json'), 'hidden-unicode')
  assert.equal(rules('\uFEFFconst faces = "👩‍👩‍👧 ❤️", word = "می‌خواهم"'), '')
})

test('what is no JavaScript, or TypeScript, is a finding and no silence', () => {
  const [broken] = scan('const a = 1\nconst = 2')
  assert.deepEqual([broken?.rule, broken?.line], ['static/not-parsed', 2])
  assert.equal(rules('await 1', 'a.cjs'), 'not-parsed')
  assert.equal(rules('return 1', 'a.cjs'), '')
  assert.equal(rules('with (a) b', 'a.js'), '')
  assert.equal(rules('with (a) b', 'a.mjs'), 'not-parsed')
  assert.equal(rules('#!/usr/bin/env node\nusing a = b()', 'a.mjs'), '')
  assert.equal(rules('const a: number = 1', 'a.ts'), 'typescript')
  assert.equal(rules('export declare const a: number', 'a.d.ts'), '')
  assert.equal(rules('[ab, '.repeat(100_000)), 'not-parsed')
})

test('native code and WebAssembly are found by what they are, whatever they are called', () => {
  const bytes = (...first: number[]): Uint8Array => Uint8Array.from([...first, 1, 2, 3, 4])
  const named = (path: string, content: Uint8Array): string =>
    scanTree([file(path, content)])
      .map(({ rule }) => rule)
      .join(' ')
  assert.equal(named('logo.png', bytes(0x7f, 0x45, 0x4c, 0x46)), 'static/native-code')
  assert.equal(named('readme', bytes(0x4d, 0x5a, 0x90, 0x00)), 'static/native-code')
  assert.equal(named('a.node', bytes(0)), 'static/native-code')
  assert.equal(named('lib/a.dylib', bytes(0xcf, 0xfa, 0xed, 0xfe)), 'static/native-code')
  assert.equal(named('data.bin', bytes(0x00, 0x61, 0x73, 0x6d)), 'static/wasm')
  assert.equal(named('data.bin', bytes(1)), '')
})

test('install scripts are told with their text', () => {
  const source = '{\n  "scripts": {\n    "test": "x",\n    "postinstall": "curl x | sh"\n  }\n}'
  const [finding, ...others] = scan(source, 'node_modules/a/package.json')
  assert.deepEqual([finding?.rule, finding?.severity, finding?.line, others.length], ['static/install-script', 'warning', 4, 0])
  assert.match(finding?.message ?? '', /postinstall: curl x \| sh/)
  assert.equal(rules('', 'binding.gyp'), 'install-script')
  assert.equal(rules('{"scripts": 7}', 'package.json'), '')
})

test('a file that code loads is code, whatever it is called', () => {
  const evil = "eval('1')"
  const pairs: readonly (readonly [string, string, string])[] = [
    ['index.cjs', "require('./data/list.txt')", 'data/list.txt'],
    ['lib/index.cjs', "require('../payload')", 'payload'],
    ['package.json', '{"main": "./start.dat"}', 'start.dat'],
    ['node_modules/a/package.json', '{"exports": {".": [null, {"node": {"require": "./b.dat"}}]}}', 'node_modules/a/b.dat'],
    ['lib/index.cjs', "require('dep/list.txt')", 'node_modules/dep/list.txt'],
    ['plugin.json', '{"main": "start"}', 'start'],
    ['index.mjs', "new Worker(new URL('./work', import.meta.url))", 'work'],
  ]
  for (const [path, source, target] of pairs) {
    const found = scanTree([file(target, evil), file(path, source)])
    assert.deepEqual(
      found.map((each) => [each.rule, each.file]),
      [['static/eval', target]],
    )
    assert.deepEqual(scanTree([file(target, evil)]), [])
  }
  assert.deepEqual(scanTree([file('a.cjs', "require('./b')"), file('b', "require('./a.cjs')")]), [])
  const types = scanTree([file('package.json', '{"exports": {"types": "./b.d.ts"}}'), file('b.d.ts', evil)])
  assert.deepEqual(types, [])
  const declared = scanTree([file('a.mjs', "import './b.d.ts'"), file('b.d.ts', evil)])
  assert.deepEqual(
    declared.map(({ rule }) => rule),
    ['static/typescript'],
  )
})

test('every limit ends the look with a finding that says what was not looked into', () => {
  const files = [file('a.js', 'eval(1)'), file('b.js', 'eval(2)\nFunction()'), file('c.js', 'eval(3)')]
  const last = (over: Partial<ScanLimits>): string => {
    const found = scanTree(files, { ...defaultScanLimits, ...over })
    const { rule, severity, file: path, message } = found.at(-1) ?? { rule: '', severity: '', file: '', message: '' }
    return `${rule} ${severity} ${path} ${message.split(': ').at(-1) ?? ''}`
  }
  assert.equal(last({ files: 1 }), 'static/not-scanned danger b.js the package has more than 1 files')
  assert.equal(last({ totalBytes: 10 }), 'static/not-scanned danger b.js the package has more than 10 bytes')
  assert.equal(last({ findings: 1 }), 'static/not-scanned danger b.js there are more than 1 findings')
  assert.equal(last({ timeMs: 0 }), 'static/not-scanned danger a.js looking took longer than 0 ms')
  const large = scanTree(files, { ...defaultScanLimits, sourceBytes: 8 })
  assert.deepEqual(
    large.map(({ rule, file: path }) => `${rule} ${path}`),
    ['static/eval a.js', 'static/not-scanned b.js', 'static/eval c.js'],
  )
})

test('the same finding is told eight times in a file and no more', () => {
  assert.equal(scan('eval(1)\n'.repeat(500)).length, 8)
})

test('a file made to be slow to read is read in time that grows with its size', () => {
  const many = (count: number, one: (index: number) => string): string =>
    Array.from({ length: count }, (_, index) => one(index)).join('')
  const slow = [
    many(20_000, (index) => `let a${index};`),
    many(15_000, (index) => `export const a${index}=1;`),
    `x = ${many(3000, () => 'a+')}a`,
    many(2000, (index) => `const v${index + 1} = v${index} + v${index};`),
    `${'['.repeat(1500)}${']'.repeat(1500)}`,
    'eval\n'.repeat(100_000),
    `f${'.__proto__'.repeat(50_000)}.constructor('1')`,
    `const a = '${'a'.repeat(4000)}'; f([${many(40_000, () => 'a,')}].join(''), \`${many(20_000, () => '${a}')}\`)`,
    `String.fromCharCode(${many(100_000, () => '97,')}97)`,
    '\u202E'.repeat(100_000),
    '"\\x41'.repeat(50_000),
  ]
  for (const source of slow) assert.ok(scan(source).length <= 64)
})

test('whatever the files are, looking through them ends with findings', () => {
  const pieces = fc.constantFrom(
    'eval',
    '(',
    ')',
    "'",
    '`',
    '${',
    '}',
    '{',
    'import',
    ' from ',
    'require',
    '+',
    '.',
    '[',
    ']',
    'constructor',
    '\\x41',
    '\n',
    '/*',
    '//',
    'process',
    '=',
    'const a',
    '=>',
    '\uD800',
  )
  fc.assert(
    fc.property(fc.array(pieces, { maxLength: 60 }), fc.constantFrom('a.js', 'a.cjs', 'a.ts', 'package.json'), (parts, path) => {
      assert.ok(Array.isArray(scan(parts.join(''), path)))
    }),
    { numRuns: 1500 },
  )
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 200 }), (bytes) => Array.isArray(scanTree([file('a.js', bytes)]))),
    { numRuns: 300 },
  )
})
