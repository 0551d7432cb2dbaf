import { posix } from 'node:path'
import type { Program } from 'acorn'
import type { Finding } from '../subject.ts'
import { readCode, type CodeFinding, type CodeReading } from './code-findings.ts'
import { FindingList, scanRules } from './finding-list.ts'
import { LineNumbers } from './line-numbers.ts'
import { parseSource } from './parse-source.ts'
import { defaultScanLimits, type ScanLimits } from './scan-limits.ts'
import { hiddenCharacters, readText } from './text-findings.ts'

/** Grows whenever the scanner finds other things in the same bytes: what it found before is no answer any more. */
export const scanRevision = 2

/** One file of a package. */
export interface ScannedFile {
  /** Path in the package, with a slash. */
  readonly path: string
  readonly bytes: Uint8Array
}

/**
 * Looks through the files of a package without running anything: which of them start programs, run text as code, hold native
 * code, hide what they do, reach for the network or the environment. In the order of the files.
 *
 * It sees what is written, not what happens. A program that decides to hide can: a name that is put together in a loop or
 * fetched, a function that is handed on, a getter that runs late, code in WebAssembly or in data that an innocent interpreter
 * reads, are not seen. So what it finds is a reason to look, and that it finds nothing is none to trust: what a plugin can do is
 * decided by its permissions and its tier. What it cannot read is a finding and no silence.
 *
 * It never throws. Source: seed 002 "Security Scanning".
 */
export function scanTree(files: readonly ScannedFile[], limits: ScanLimits = defaultScanLimits): readonly Finding[] {
  return new TreeScan(files, limits).run()
}

const sourceName = /\.(?:c|m)?js$/i
const typescriptName = /\.(?:c|m)?tsx?$/i
const declarationName = /\.d\.(?:c|m)?ts$/i
const nativeName = /\.(?:node|so|dll|dylib|exe)$/i
/** Of a module that a package brings along; the group is the folder it lies in. */
const modulePath = /(?:^|\/)node_modules\/((?:@[^/]+\/)?[^/]+)\/package\.json$/
const installScripts = ['preinstall', 'install', 'postinstall', 'prepare']

class TreeScan {
  readonly #files: ReadonlyMap<string, ScannedFile>
  readonly #limits: ScanLimits
  readonly #list: FindingList
  readonly #read = new Set<string>()
  readonly #modules: Finding[] = []
  /** Files that are code because code loads them, whatever they are called. */
  readonly #loaded: string[] = []
  readonly #startedMs = performance.now()

  constructor(files: readonly ScannedFile[], limits: ScanLimits) {
    this.#files = new Map(files.map((file) => [file.path, file]))
    this.#limits = limits
    this.#list = new FindingList(limits.findings)
  }

  run(): readonly Finding[] {
    let bytes = 0
    let count = 0
    for (const file of this.#files.values()) {
      bytes += file.bytes.length
      count += 1
      const exceeded =
        count > this.#limits.files
          ? `the package has more than ${this.#limits.files} files`
          : bytes > this.#limits.totalBytes
            ? `the package has more than ${this.#limits.totalBytes} bytes`
            : this.#exceeded()
      if (exceeded !== undefined) return this.#stopped(exceeded, file.path)
      this.#scanFile(file)
    }
    for (let path = this.#loaded.pop(); path !== undefined; path = this.#loaded.pop()) {
      const exceeded = this.#exceeded()
      if (exceeded !== undefined) return this.#stopped(exceeded, path)
      const file = this.#files.get(path)
      if (file !== undefined && !this.#read.has(path)) this.#scanSource(file)
    }
    return [...this.#list.findings, ...this.#modules]
  }

  #exceeded(): string | undefined {
    if (this.#modules.length > this.#limits.modules) return `it brings more than ${this.#limits.modules} modules along`
    if (this.#list.isFull) return `there are more than ${this.#limits.findings} findings`
    if (performance.now() - this.#startedMs >= this.#limits.timeMs) return `looking took longer than ${this.#limits.timeMs} ms`
    return undefined
  }

  #stopped(why: string, path: string): readonly Finding[] {
    const rest: Finding = {
      rule: 'static/not-scanned',
      severity: 'danger',
      file: path,
      message: `it and the files after it were not looked into: ${why}`,
    }
    return [...this.#list.findings, ...this.#modules, rest]
  }

  #scanFile(file: ScannedFile): void {
    const { path, bytes } = file
    const name = posix.basename(path)
    const magic = nativeMagic(bytes)
    if (magic !== undefined || nativeName.test(name)) this.#list.add('static/native-code', path, magic)
    else if (startsWith(bytes, 0x00, 0x61, 0x73, 0x6d) || name.endsWith('.wasm')) this.#list.add('static/wasm', path)
    else if (sourceName.test(name)) this.#scanSource(file)
    else if (typescriptName.test(name)) this.#scanTypescript(file)
    else if (name.endsWith('.json')) this.#scanJson(file)
    else if (name === 'binding.gyp') this.#list.add('static/install-script', path, 'binding.gyp')
  }

  #scanSource(file: ScannedFile): void {
    const { path, bytes } = file
    this.#read.add(path)
    if (bytes.length > this.#limits.sourceBytes) {
      this.#list.add('static/not-scanned', path, `it has more than ${this.#limits.sourceBytes} bytes`)
      return
    }
    const source = textOf(bytes)
    this.#add(path, source, readText(source))
    const parsed = parseSource(source, path)
    if (parsed.kind === 'failed') {
      this.#list.add('static/not-parsed', path, parsed.reason, parsed.line)
      return
    }
    const reading = this.#readCode(path, parsed.program)
    this.#add(path, source, reading.findings)
    for (const specifier of reading.loads) this.#resolve(specifier, posix.dirname(path))
  }

  /** What the reader was not made for is told, and ends the look at this file alone. */
  #readCode(path: string, program: Program): CodeReading {
    try {
      return readCode(program)
    } catch (error) {
      this.#list.add('static/not-scanned', path, error instanceof Error ? error.message : String(error))
      return { findings: [], loads: [] }
    }
  }

  /** The parsers of TypeScript there are can be made to take for ever, or to break for everybody else in the process. */
  #scanTypescript({ path, bytes }: ScannedFile): void {
    if (declarationName.test(path)) return
    this.#list.add('static/typescript', path)
    if (bytes.length > this.#limits.sourceBytes) return
    const source = textOf(bytes)
    this.#add(path, source, readText(source))
  }

  #addModule(path: string, value: unknown): void {
    const [, folder = ''] = modulePath.exec(path) ?? []
    const [named, version] = [memberOf(value, 'name'), memberOf(value, 'version')]
    if (typeof version !== 'string') return
    // a fork under another folder is still what it says it is
    const names = new Set([folder, ...(typeof named === 'string' ? [named] : [])])
    for (const name of names) {
      const message = `${scanRules['static/module'].message}: ${name} ${version}`
      const module = { name: name.slice(0, 214), version: version.slice(0, 256) }
      this.#modules.push({ rule: 'static/module', severity: 'info', file: path, message: message.slice(0, 500), module })
    }
  }

  #scanJson({ path, bytes }: ScannedFile): void {
    if (bytes.length > this.#limits.sourceBytes) return
    const source = textOf(bytes)
    this.#add(path, source, hiddenCharacters(source))
    const name = posix.basename(path)
    if (name !== 'package.json' && path !== 'plugin.json') return
    const value = parsedJson(source)
    if (modulePath.test(path)) this.#addModule(path, value)
    for (const entry of entriesOf(value)) this.#load(posix.join(posix.dirname(path), entry))
    const scripts = name === 'package.json' ? memberOf(value, 'scripts') : undefined
    for (const script of installScripts) {
      const text = memberOf(scripts, script)
      if (typeof text !== 'string') continue
      const line = new LineNumbers(source).at(source.indexOf(`"${script}"`))
      this.#list.add('static/install-script', path, `${script}: ${text.slice(0, 120)}`, line)
    }
  }

  /** A file beside the one that loads it, or in a folder of modules at or above it. */
  #resolve(specifier: string, from: string): void {
    if (/^\.{0,2}\//.test(specifier)) this.#load(posix.join(from, specifier))
    else for (const folder of upwards(from)) this.#load(posix.join(folder, 'node_modules', specifier))
  }

  /** Node runs a file of any name as code, if code loads it by that name. */
  #load(path: string): void {
    if (this.#files.has(path) && !/\.(?:json|wasm|node)$/i.test(path) && !typescriptName.test(path)) this.#loaded.push(path)
    else if (declarationName.test(path)) this.#list.add('static/typescript', path)
  }

  #add(path: string, source: string, found: readonly CodeFinding[]): void {
    if (found.length === 0) return
    const lines = new LineNumbers(source)
    for (const { rule, what, offset } of found) this.#list.add(rule, path, what, lines.at(offset))
  }
}

function textOf(bytes: Uint8Array): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).toString('utf8')
}

/** Native code under any name: ELF, Mach-O, PE. */
function nativeMagic(bytes: Uint8Array): string | undefined {
  if (startsWith(bytes, 0x7f, 0x45, 0x4c, 0x46)) return 'a program or library for Linux'
  if (startsWith(bytes, 0xcf, 0xfa, 0xed, 0xfe) || startsWith(bytes, 0xca, 0xfe, 0xba, 0xbe))
    return 'a program or library for macOS'
  return startsWith(bytes, 0x4d, 0x5a, 0x90, 0x00) ? 'a program or library for Windows' : undefined
}

function startsWith(bytes: Uint8Array, ...magic: readonly number[]): boolean {
  return magic.every((byte, index) => bytes[index] === byte)
}

function parsedJson(source: string): unknown {
  try {
    return JSON.parse(source)
  } catch {
    return undefined
  }
}

/** A folder and all it lies in, nearest first. */
function* upwards(folder: string): Generator<string> {
  for (let at = folder; ; at = posix.dirname(at)) {
    yield at
    if (at === '.' || at === '/' || at === '') return
  }
}

/** Every file that a manifest names as one to start with; those under `types` are for compilers. */
function entriesOf(manifest: unknown): readonly string[] {
  const entries: string[] = []
  const open: unknown[] = ['main', 'bin', 'exports', 'imports'].map((name) => memberOf(manifest, name))
  for (let value = open.pop(); open.length > 0 || value !== undefined; value = open.pop()) {
    if (typeof value === 'string') entries.push(value)
    else if (typeof value === 'object' && value !== null) {
      for (const [key, each] of Object.entries(value)) if (!key.startsWith('types')) open.push(each)
    }
  }
  return entries
}

function memberOf(value: unknown, name: string): unknown {
  return typeof value === 'object' && value !== null && Object.hasOwn(value, name) ? Reflect.get(value, name) : undefined
}
