import type { ScanRule } from './finding-list.ts'

/** What loading a module of Node, or of the packages that everybody takes for it, means. */
export const modules: Readonly<Record<string, ScanRule>> = {
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
export const tellingTexts: Readonly<Record<string, ScanRule>> = {
  child_process: 'static/child-process',
  'node:child_process': 'static/child-process',
}

/** Properties that mean the same on every object. */
export const tellingProperties: Readonly<Record<string, ScanRule>> = {
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
export const paths: Readonly<Record<string, ScanRule>> = {
  eval: 'static/eval',
  'process.binding': 'static/internals',
  'process.mainModule': 'static/internals',
  'module.constructor': 'static/internals',
  'require.constructor': 'static/internals',
  'require.extensions': 'static/internals',
  'module:module.register': 'static/internals',
  'module:module.registerHooks': 'static/internals',
  'process.execve': 'static/child-process',
  'process.env': 'static/env',
  WebAssembly: 'static/wasm',
}

/** Things of the network that need no module; calling or constructing them counts. */
export const networkCalls: ReadonlySet<string> = new Set(['fetch', 'WebSocket', 'EventSource', 'XMLHttpRequest'])

/** Objects of which it matters which part is used. */
export const keyObjects: ReadonlySet<string> = new Set(['globalThis', 'process', 'module', 'require'])
