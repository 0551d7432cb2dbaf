import assert from 'node:assert/strict'
import { chmod, mkdir, readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { test } from 'node:test'
import { acceptManifest, createKernel, memoryStore, type Kernel, type Store } from '@backplane/kernel'
import { anything, defineProvider, unary } from '@backplane/sdk'
import { temporaryDirectory } from '@backplane/testing'
import type { Subject, Verdict } from '@backplane/trust'
import * as fc from 'fast-check'
import { directory } from '../directory.ts'
import { directoryFetcher } from '../fetch/directory-fetcher.ts'
import { importingRuntime } from '../fixtures/importing-runtime.ts'
import { put } from '../fixtures/package-folder.ts'
import { Installer } from '../install/installer.ts'
import { installed } from '../lock/installed.ts'
import { createAdmission } from './create-admission.ts'

const { signal } = new AbortController()
const point = defineProvider('demo.echo', { say: unary(anything, anything) })

/** Tokens of the code that ran, as the code itself says it. */
const ran: number[] = []
Reflect.set(globalThis, 'noWayAround', ran)
let lastToken = 0

const name = fc.constantFrom('a', 'b')
const step = fc.oneof(
  fc.record({ do: fc.constant('drop' as const), name, good: fc.boolean() }),
  fc.record({ do: fc.constant('offer' as const), name, good: fc.boolean() }),
  fc.record({
    do: fc.constantFrom('add' as const, 'withdraw' as const, 'reload' as const, 'rollback' as const, 'call' as const),
    name,
  }),
  fc.record({ do: fc.constantFrom('update' as const, 'restart' as const, 'refresh' as const, 'restore' as const) }),
  fc.record({
    do: fc.constantFrom(
      'tamper with the store' as const,
      'tamper with what is kept beside it' as const,
      'swap digests in the lock' as const,
      'turn the policy' as const,
    ),
  }),
)
type Step = typeof step extends fc.Arbitrary<infer T> ? T : never

/** A host with folders and installed plugins, whose policy takes good packages only, and somebody who tries to get around it. */
class World {
  readonly #root: string
  readonly #store: Store = memoryStore()
  /** Digests the policy takes. */
  readonly #taken = new Set<string>()
  /** Token of the code → digest of its package, as it was written. */
  readonly #digests = new Map<number, string>()
  readonly #installer: Installer
  #kernel: Kernel | undefined
  #version = 0

  constructor(root: string) {
    this.#root = root
    this.#installer = new Installer({
      lock: this.#at('backplane.lock'),
      store: this.#at('installed'),
      fetchers: [directoryFetcher({ from: this.#at('offered') })],
      judge: this.#judge,
      acceptManifest,
      hostApi: '1.0.0',
    })
  }

  async start(): Promise<void> {
    const source = installed({ lock: this.#at('backplane.lock'), store: this.#at('installed') })
    this.#kernel = await createKernel({
      host: { name: 'demo', api: '1.0.0' },
      points: [point],
      sources: [source, directory(this.#at('dropped'), { store: this.#at('staged'), settleMs: 1, watch: false })],
      runtimes: [importingRuntime()],
      policy: { tier: () => 'trusted' },
      store: this.#store,
      watch: false,
      admission: createAdmission({ judge: this.#judge, installed: source, approvesDeclared: () => true }),
    })
  }

  async stop(): Promise<void> {
    await this.#kernel?.[Symbol.asyncDispose]()
  }

  /** What fails is told by its error; what counts is what ran. */
  async take(one: Step): Promise<void> {
    const before = ran.length
    await this.#do(one).catch((error: unknown) =>
      assert.equal(Reflect.get(Object(error), 'name'), 'PlatformError', String(error)),
    )
    for (const each of ['a', 'b'])
      await this.#kernel
        ?.provider(point, each)
        .say('x')
        .catch(() => undefined)
    for (const token of ran.slice(before)) {
      assert.ok(this.#taken.has(this.#digests.get(token) ?? ''), `${JSON.stringify(one)} let code run that the verdict refuses`)
    }
  }

  #do(one: Step): Promise<unknown> {
    const id = 'name' in one ? `acme/${one.name}` : ''
    switch (one.do) {
      case 'drop':
        return this.#write(join(this.#at('dropped'), one.name), one.good)
      case 'offer':
        return this.#write(join(this.#at('offered'), one.name), one.good)
      case 'add':
        return this.#apply({ kind: 'add', reference: `./${one.name}` })
      case 'update':
        return this.#apply({ kind: 'update' })
      case 'withdraw':
        return this.#apply({ kind: 'remove', id })
      case 'reload':
        return this.#known.plugins.reload(id)
      case 'rollback':
        return this.#known.plugins.rollback(id)
      case 'call':
        return this.#known.plugins.start(id)
      case 'refresh':
        return this.#known.plugins.refresh()
      case 'restore':
        return this.#installer.restore({ signal })
      case 'restart':
        return this.stop().then(() => this.start())
      case 'tamper with the store':
        return this.#tamper()
      case 'tamper with what is kept beside it':
        return this.#tamperBeside()
      case 'swap digests in the lock':
        return this.#swapDigests()
      case 'turn the policy':
        return this.#turn()
    }
  }

  get #known(): Kernel {
    assert.ok(this.#kernel)
    return this.#kernel
  }

  readonly #judge = ({ digest, locked }: Subject): Verdict => {
    const ok = this.#taken.has(digest) && (locked === undefined || locked.digest === digest)
    const outcome = ok ? 'passed' : 'refused'
    return { ok, trust: 'signed', rules: [{ rule: 'digest', outcome, reason: `${digest} is ${ok ? '' : 'not '}on the list` }] }
  }

  async #write(folder: string, good: boolean): Promise<void> {
    const token = this.#nextToken()
    this.#version += 1
    await rm(folder, { recursive: true, force: true })
    const contributes = { 'demo.echo': { [folder.at(-1) ?? '']: {} } }
    await put(
      join(folder, '..'),
      folder.at(-1) ?? '',
      { version: `1.0.${this.#version}`, contributes },
      { 'index.js': codeOf(folder, token) },
    )
    const [found] = await directoryFetcher().versions(folder, { signal })
    assert.ok(found?.place.kind === 'directory')
    this.#digests.set(token, found.place.digest)
    if (good) this.#taken.add(found.place.digest)
    await this.#known.plugins.refresh()
  }

  async #apply(change: Parameters<Installer['plan']>[0][number]): Promise<void> {
    await this.#installer.apply(await this.#installer.plan([change], { signal }), {}, { signal })
    await this.#known.plugins.refresh()
  }

  /** Puts other code into every entry of both stores. */
  async #tamper(): Promise<void> {
    for (const store of ['installed', 'staged']) {
      const entries = await readdir(this.#at(store)).catch(() => [])
      for (const entry of entries.filter((each) => each.startsWith('sha256-'))) {
        const file = join(this.#at(store), entry, 'index.js')
        const code = codeOf('/a', this.#nextToken())
        // it may be collected meanwhile
        await chmod(file, 0o644).then(
          () => writeFile(file, code),
          () => undefined,
        )
      }
    }
    await this.#known.plugins.refresh()
  }

  /** Says of every entry of both stores that it is loaded from a file beside it. */
  async #tamperBeside(): Promise<void> {
    for (const store of ['installed', 'staged']) {
      const owners = join(this.#at(store), '.owners')
      for (const owner of await readdir(owners).catch(() => [])) {
        await writeFile(join(this.#at(store), 'evil.js'), codeOf('/a', this.#nextToken()))
        for (const entry of await readdir(join(owners, owner)).catch(() => [])) {
          const text = await readFile(join(this.#at(store), entry, 'plugin.json'), 'utf8').catch(() => '{}')
          const facts = { manifest: JSON.parse(text) as unknown, main: '../evil.js', arrival: { source: 'directory:/a' } }
          await writeFile(join(owners, owner, entry), JSON.stringify(facts))
        }
      }
    }
    await this.#known.plugins.refresh()
  }

  /** Gives every plugin of the lock the digest of another entry of the store. */
  async #swapDigests(): Promise<void> {
    const path = this.#at('backplane.lock')
    const text = await readFile(path, 'utf8').catch(() => '')
    const first = (await readdir(this.#at('installed')).catch(() => [])).find((each) => each.startsWith('sha256-')) ?? ''
    if (text !== '')
      await writeFile(path, text.replaceAll(/"digest": "sha256:[0-9a-f]{64}"/g, `"digest": "${first.replace('-', ':')}"`))
    await this.#known.plugins.refresh()
  }

  /** What was taken is refused from now on. */
  async #turn(): Promise<void> {
    this.#taken.clear()
    await this.#known.plugins.refresh()
  }

  #nextToken(): number {
    lastToken += 1
    return lastToken
  }

  #at(part: string): string {
    return join(this.#root, part)
  }
}

function codeOf(folder: string, token: number): string {
  return `globalThis.noWayAround.push(${token})
export default { setup: (scope) => scope.provide({ id: 'demo.echo', kind: 'provider' }, '${folder.at(-1)}', { say: () => ${token} }) }`
}

/** What was staged for a version that served before is changed, and that version is to serve again. */
const keptBytesChanged: Step[] = [
  { do: 'drop', name: 'a', good: true },
  { do: 'drop', name: 'a', good: true },
  { do: 'add', name: 'a' },
  { do: 'tamper with the store' },
  { do: 'rollback', name: 'a' },
]

/** What is kept beside the bytes of such a version is changed. */
const keptFactsChanged: Step[] = [
  { do: 'drop', name: 'a', good: true },
  { do: 'drop', name: 'a', good: true },
  { do: 'tamper with what is kept beside it' },
  { do: 'rollback', name: 'a' },
  { do: 'restart' },
]

test('whatever is done with folders, installs, stores, locks and policies, nothing runs that the verdict refuses', async (t) => {
  let goodRuns = 0
  await fc.assert(
    fc.asyncProperty(fc.array(step, { minLength: 5, maxLength: 14 }), async (steps) => {
      const root = await temporaryDirectory(t)
      await Promise.all(['dropped', 'offered'].map((each) => mkdir(join(root, each))))
      const world = new World(root)
      await world.start()
      const before = ran.length
      try {
        for (const one of steps) await world.take(one)
      } finally {
        await world.stop()
      }
      goodRuns += ran.length - before
    }),
    { numRuns: Number(process.env['RUNS'] ?? 40), examples: [[keptBytesChanged], [keptFactsChanged]] },
  )
  assert.ok(goodRuns > 0, 'what it takes does run')
})
