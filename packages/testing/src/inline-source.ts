import { hash } from 'node:crypto'
import type { FoundPackage, RecalledPackage, Source, SourceProblem } from '@backplane/kernel'
import { definePlugin, type Manifest, type PluginModule, type Scope } from '@backplane/sdk'

/** A plugin written into a test: its manifest, where what is left out is filled in, and what it does. */
export interface InlinePlugin {
  /** Checked by the kernel like any other; members of any form are allowed, because hostile manifests are tested too. */
  readonly manifest: { readonly id: string } & { readonly [K in keyof Manifest]?: unknown }
  readonly setup?: (scope: Scope) => void | Promise<void>
  readonly module?: PluginModule
  /** Default: grows with each {@link InlineSource.put}. */
  readonly fingerprint?: string
  /** What staging throws, for packages that cannot be staged. */
  readonly stageError?: Error
}

/** A {@link Source} whose packages a test puts in and takes out. */
export interface InlineSource extends Source {
  /** Adds a plugin, or puts another in its place. */
  readonly put: (...plugins: readonly InlinePlugin[]) => void
  readonly take: (id: string) => void
  /** Keeps nothing of what was staged with this digest. */
  readonly lose: (digest: string) => void
  /** Something that cannot be read as a package. */
  readonly putProblem: (problem: SourceProblem) => void
  /** Says that something changed; the kernel lists again by itself. */
  readonly hint: () => void
}

/** What {@link inlineSource} may be told. */
export interface InlineSourceOptions {
  readonly name?: string
  /** Default `bundled`, so that plugins run as `trusted`. */
  readonly origin?: Source['origin']
}

/** Makes a source of plugins that are in memory. */
export function inlineSource(
  plugins: readonly InlinePlugin[] = [],
  { name = 'inline', origin = 'bundled' }: InlineSourceOptions = {},
): InlineSource {
  const packages = new Map<string, FoundPackage>()
  const staged = new Map<string, RecalledPackage>()
  const problems = new Map<string, SourceProblem>()
  const listeners = new Set<() => void>()
  let revision = 0
  const put: InlineSource['put'] = (...added) => {
    for (const plugin of added) {
      revision += 1
      const path = `/${name}/${plugin.manifest.id}`
      problems.delete(path)
      packages.set(plugin.manifest.id, found(plugin, path, { fingerprint: plugin.fingerprint ?? `revision ${revision}`, staged }))
    }
  }
  put(...plugins)
  return {
    name,
    origin,
    list: async () => ({ packages: [...packages.values()], problems: [...problems.values()] }),
    watch: (changed) => {
      listeners.add(changed)
      return { [Symbol.asyncDispose]: async () => void listeners.delete(changed) }
    },
    put,
    take: (id) => void packages.delete(id),
    lose: (digest) => void staged.delete(digest),
    recall: async (digest) => staged.get(digest),
    putProblem: (problem) => {
      for (const [id, { path }] of packages) if (path === problem.path) packages.delete(id)
      problems.set(problem.path, problem)
    },
    hint: () => {
      for (const listener of listeners) listener()
    },
  }
}

interface Staging {
  readonly fingerprint: string
  /** By digest; what was staged once can be recalled. */
  readonly staged: Map<string, RecalledPackage>
}

function found(plugin: InlinePlugin, path: string, { fingerprint, staged }: Staging): FoundPackage {
  const { setup = () => undefined, module = definePlugin(setup), stageError } = plugin
  const manifest = { schemaVersion: 1, version: '1.0.0', requires: { api: '*' }, ...plugin.manifest }
  return {
    manifest,
    manifestPath: `${path}/plugin.json`,
    path,
    fingerprint,
    stage: async () => {
      if (stageError !== undefined) throw stageError
      const digest = `sha256:${hash('sha256', fingerprint)}`
      const recalled: RecalledPackage = { manifest, staged: { digest, code: { kind: 'module', module } } }
      staged.set(digest, recalled)
      return recalled.staged
    },
  }
}
