import type { Finding } from '../subject.ts'

/** Every rule of the built-in scanner. */
export type ScanRule =
  | 'static/child-process'
  | 'static/eval'
  | 'static/internals'
  | 'static/native-code'
  | 'static/obfuscated'
  | 'static/hidden-unicode'
  | 'static/not-parsed'
  | 'static/typescript'
  | 'static/not-scanned'
  | 'static/computed-import'
  | 'static/computed-access'
  | 'static/encoded-data'
  | 'static/install-script'
  | 'static/wasm'
  | 'static/network'
  | 'static/env'
  | 'static/module'

/** The rules of the built-in scanner, each with what it says and how grave it is. */
export const scanRules: Readonly<Record<ScanRule, { readonly severity: Finding['severity']; readonly message: string }>> = {
  'static/child-process': { severity: 'danger', message: 'starts other programs' },
  'static/eval': { severity: 'danger', message: 'runs text as code' },
  'static/internals': { severity: 'danger', message: 'reaches into the internals of Node' },
  'static/native-code': { severity: 'danger', message: 'holds or loads native code' },
  'static/obfuscated': { severity: 'danger', message: 'hides what it does' },
  'static/hidden-unicode': { severity: 'danger', message: 'has characters that nobody sees' },
  'static/not-parsed': { severity: 'danger', message: 'is no JavaScript that could be read' },
  'static/typescript': { severity: 'danger', message: 'is TypeScript, which is not looked into; publish JavaScript' },
  'static/not-scanned': { severity: 'danger', message: 'was not looked into' },
  'static/computed-import': { severity: 'warning', message: 'loads a module whose name it computes' },
  'static/computed-access': { severity: 'warning', message: 'computes which global it uses' },
  'static/encoded-data': { severity: 'warning', message: 'has a long line of encoded data' },
  'static/install-script': { severity: 'warning', message: 'has an install script, which is never run here' },
  'static/wasm': { severity: 'warning', message: 'holds or runs WebAssembly' },
  'static/network': { severity: 'info', message: 'uses the network' },
  'static/env': { severity: 'info', message: 'reads the environment' },
  'static/module': { severity: 'info', message: 'brings a module of others along' },
}

/** So many of one rule in one file are told; a minified file has hundreds that say the same. */
const mostAlike = 8

/** What was found so far, each place and rule once. */
export class FindingList {
  readonly #findings: Finding[] = []
  readonly #alike = new Map<string, Set<number | undefined>>()
  readonly #most: number

  constructor(most: number) {
    this.#most = most
  }

  get findings(): readonly Finding[] {
    return this.#findings
  }

  /** Whether nothing more is taken. */
  get isFull(): boolean {
    return this.#findings.length >= this.#most
  }

  /** `what` says more than the rule does: which name, or why. `line` counts from 1. */
  add(rule: ScanRule, file: string, what?: string, line?: number): void {
    const key = `${rule} ${file}`
    const lines = this.#alike.get(key) ?? new Set()
    if (this.isFull || lines.has(line) || lines.size >= mostAlike) return
    this.#alike.set(key, lines.add(line))
    const { severity, message } = scanRules[rule]
    const text = what === undefined ? message : `${message}: ${what}`
    this.#findings.push({ rule, severity, file, ...(line === undefined ? {} : { line }), message: text })
  }
}
