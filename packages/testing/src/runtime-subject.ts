import assert from 'node:assert/strict'
import { mkdir } from 'node:fs/promises'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import type { TestContext } from 'node:test'
import type { CallContext, Instance, PackageCode, PluginLogLine, Runtime, StartRequest, Target } from '@backplane/kernel'
import type { Progress } from '@backplane/sdk'
import { RecordingHost } from './recording-host.ts'
import { testLimits } from './test-limits.ts'
import { temporaryDirectory } from './temporary-directory.ts'

/** Makes the runtime under test; the suite disposes it. */
export type MakeRuntime = (t: TestContext) => Runtime | Promise<Runtime>

/** Where the contract's own plugin is; the same place in source and build. */
const pluginDirectory = fileURLToPath(new URL('../src/fixtures/contract-plugin', import.meta.url))

/** The plugin a {@link RuntimeSubject} starts. */
export interface SubjectPlugin {
  readonly id: string
  /** Of its package; its main module is `index.js`. */
  readonly directory: string
  readonly host: StartRequest['host']
  readonly declared: StartRequest['declared']
  readonly limits: Partial<StartRequest['limits']>
  readonly isolation: StartRequest['isolation']
  /** Where in the test's directory its own ones are; nothing else is in there. */
  readonly home: string
}

const contractPlugin: SubjectPlugin = {
  id: 'contract/everything',
  directory: pluginDirectory,
  host: { name: 'contract', api: '1.2.3' },
  declared: {
    'contract.hook': ['shout'],
    'contract.plain': ['all'],
    'contract.opened': ['counter'],
    'contract.data': ['panel'],
  },
  limits: {},
  isolation: { floor: 'process', trust: 'first-party' },
  home: '.',
}

/** What a {@link RuntimeSubject} may be started with instead of the usual. */
export interface StartOptions {
  readonly config?: unknown
  readonly code?: PackageCode
  readonly readyMs?: number
  readonly signal?: AbortSignal
  readonly grants?: Partial<StartRequest['grants']>
  readonly limits?: Partial<StartRequest['limits']>
  readonly isolation?: Partial<StartRequest['isolation']>
  readonly migrate?: StartRequest['migrate']
}

/** One runtime under test, and what is needed to start plugins in it and to watch what they do. */
export class RuntimeSubject {
  readonly runtime: Runtime
  readonly host: RecordingHost = new RecordingHost()
  readonly root: string
  readonly #plugin: SubjectPlugin
  #generation = 0

  private constructor(runtime: Runtime, root: string, plugin: SubjectPlugin) {
    this.runtime = runtime
    this.root = root
    this.#plugin = plugin
  }

  /** Disposes the runtime after the test. */
  static async make(t: TestContext, make: MakeRuntime, plugin: SubjectPlugin = contractPlugin): Promise<RuntimeSubject> {
    const root = await temporaryDirectory(t)
    const subject = new RuntimeSubject(await make(t), root, plugin)
    t.after(() => subject.runtime[Symbol.asyncDispose]())
    const { data, exchange } = subject.#directories()
    await Promise.all([mkdir(data, { recursive: true }), mkdir(exchange, { recursive: true })])
    return subject
  }

  start(options: StartOptions = {}): Promise<Instance> {
    const { config = {}, readyMs = 20_000, grants, limits, isolation, migrate } = options
    const { id, host, declared, directory, ...usual } = this.#plugin
    this.#generation += 1
    const request: StartRequest = {
      plugin: { id, version: '1.0.0', generation: this.#generation },
      host,
      code: options.code ?? filesAt(directory, 'index.js'),
      config,
      grants: { fsRead: [], fsWrite: [], exec: [], net: [], host: [], ...grants },
      limits: { ...testLimits, ...usual.limits, ...limits },
      isolation: { ...usual.isolation, ...isolation },
      directories: this.#directories(),
      declared,
      readyMs,
      ...(migrate === undefined ? {} : { migrate }),
    }
    return this.runtime.start(request, this.host, options.signal ?? new AbortController().signal)
  }

  /** Settles with the first line, written by now or later, whose message is `message`. */
  line(message: string): Promise<PluginLogLine> {
    return this.host.line(message)
  }

  /** Messages written so far that start with `prefix`, in order. */
  messages(prefix: string): readonly string[] {
    return this.host.lines.map(({ message }) => message).filter((message) => message.startsWith(prefix))
  }

  #directories(): StartRequest['directories'] {
    const own = join(this.root, this.#plugin.home)
    return { code: this.#plugin.directory, data: join(own, 'data'), exchange: join(own, 'exchange') }
  }
}

/** A module of the contract's plugin folder by another name than its main one. */
export function filesAt(directory: string, main: string): PackageCode {
  return { kind: 'files', directory, main }
}

/** A method of the plugin's provider without instances. */
export function plain(method: string): Target {
  return { point: 'contract.plain', name: 'all', method }
}

/** A method of the plugin's opened provider. */
export function counter(method: string, instance?: number): Target {
  return { point: 'contract.opened', name: 'counter', method, ...(instance === undefined ? {} : { instance }) }
}

/** What goes with a call in these tests. */
export function context(given: Partial<CallContext> & { readonly onProgress?: (progress: Progress) => void } = {}): CallContext {
  return { signal: new AbortController().signal, deadlineAtMs: undefined, traceId: '5'.repeat(32), caller: 'host', ...given }
}

/** What a promise was rejected with, as an object to look into. */
export async function rejection(promise: Promise<unknown>): Promise<Record<string, unknown> & Error> {
  try {
    await promise
  } catch (error) {
    return error as Record<string, unknown> & Error
  }
  return assert.fail('the promise was not rejected')
}

/** All items of a stream. */
export async function itemsOf(stream: AsyncIterable<unknown>): Promise<unknown[]> {
  const items: unknown[] = []
  for await (const item of stream) items.push(item)
  return items
}
