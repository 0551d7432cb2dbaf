import assert from 'node:assert/strict'
import { join } from 'node:path'
import { test, type TestContext } from 'node:test'
import { acceptManifest, createKernel, type AcceptedManifest, type Admission, type Kernel, type Source } from '@backplane/kernel'
import { anything, defineProvider, unary } from '@backplane/sdk'
import { temporaryDirectory } from '@backplane/testing'
import { judge, type Subject, type TrustPolicy, type Verdict } from '@backplane/trust'
import { directoryFetcher } from '../fetch/directory-fetcher.ts'
import { importingRuntime } from '../fixtures/importing-runtime.ts'
import { put } from '../fixtures/package-folder.ts'
import { Installer } from '../install/installer.ts'
import { installed } from '../lock/installed.ts'
import { createAdmission } from './create-admission.ts'

const { signal } = new AbortController()
const point = defineProvider('demo.echo', { say: unary(anything, anything) })
const code = (version: string): string =>
  `export default { setup: (scope) => scope.provide({ id: 'demo.echo', kind: 'provider' }, 'a', { say: () => '${version}' }) }`

interface Host {
  readonly kernel: Kernel
  readonly source: Source
  readonly admission: Admission
  readonly asked: Subject[]
  policy: TrustPolicy
  /** Installs a version and waits until it serves. */
  readonly serve: (version: string, permissions?: readonly string[]) => Promise<void>
  readonly remove: () => Promise<void>
}

async function host(t: TestContext): Promise<Host> {
  const root = await temporaryDirectory(t)
  const places = { lock: join(root, 'backplane.lock'), store: join(root, 'store') }
  const asked: Subject[] = []
  const ask = (subject: Subject): Verdict => (asked.push(subject), judge(subject, at.policy, Date.now()))
  const installer = new Installer({
    ...places,
    fetchers: [directoryFetcher({ from: root })],
    judge: ask,
    acceptManifest,
    hostApi: '1.0.0',
  })
  const source = installed(places)
  const admission = createAdmission({ judge: ask, installed: source })
  const kernel = await createKernel({
    host: { name: 'demo', api: '1.0.0' },
    points: [point],
    sources: [source],
    runtimes: [importingRuntime()],
    policy: { tier: () => 'trusted' },
    watch: false,
    admission,
  })
  t.after(() => kernel[Symbol.asyncDispose]())
  const say = (): Promise<unknown> => kernel.provider(point, 'a').say('x')
  const at: Host = {
    kernel,
    source,
    admission,
    asked,
    policy: { allowUnsigned: [`directory:${root}/*`] },
    serve: async (version, permissions = []) => {
      const fields = { version, permissions, contributes: { 'demo.echo': { a: {} } } }
      await put(root, 'a', fields, { 'index.js': code(version) })
      const plan = await installer.plan([{ kind: 'add', reference: './a' }], { signal })
      await installer.apply(plan, { 'acme/a': permissions }, { signal })
      await kernel.plugins.refresh()
      assert.equal(await say(), version)
    },
    remove: async () => {
      const plan = await installer.plan([{ kind: 'remove', id: 'acme/a' }], { signal })
      await installer.apply(plan, {}, { signal })
    },
  }
  return at
}

const say = ({ kernel }: Host): Promise<unknown> => kernel.provider(point, 'a').say('x')

test('an installed plugin goes back to the version that was installed before, which is judged as what it is', async (t) => {
  const at = await host(t)
  await at.serve('1.0.0')
  const { digest } = at.kernel.plugins.get('acme/a') ?? {}
  await at.serve('2.0.0')
  at.asked.length = 0
  await at.kernel.plugins.rollback('acme/a')
  assert.equal(await say(at), '1.0.0')
  const [subject] = at.asked
  assert.deepEqual([subject?.version, subject?.digest, subject?.locked], ['1.0.0', digest, undefined])
  assert.match(subject?.source ?? '', /^directory:.*\/a$/)
})

test('a version before is not gone back to once its bytes are revoked, nor with more than is approved now', async (t) => {
  const at = await host(t)
  await at.serve('1.0.0')
  const { digest = '' } = at.kernel.plugins.get('acme/a') ?? {}
  await at.serve('2.0.0')
  at.policy = { ...at.policy, revokedDigests: { [digest]: 'it leaks' } }
  await at.kernel.plugins.rollback('acme/a')
  assert.equal(await say(at), '2.0.0')
  assert.match(at.kernel.plugins.get('acme/a')?.update?.failure.message ?? '', /it leaks/)
  const other = await host(t)
  await other.serve('1.0.0', ['exec rclone'])
  await other.serve('2.0.0')
  await other.kernel.plugins.rollback('acme/a').catch(() => undefined)
  assert.equal(await say(other), '2.0.0')
})

test('what is not installed any more does not start, whatever is left of it in the store', async (t) => {
  const at = await host(t)
  await at.serve('1.0.0')
  const [found] = (await at.source.list(signal)).packages
  const staged = await found?.stage(signal)
  assert.ok(found !== undefined && staged !== undefined)
  await at.remove()
  await at.source.list(signal)
  const { manifest, path } = found
  const asked = { id: 'acme/a', version: '1.0.0', origin: 'external', source: at.source.name, path, staged } as const
  const decision = await at.admission.admit({ ...asked, manifest: manifest as AcceptedManifest }, signal)
  assert.deepEqual(decision.ok || decision.reason, 'it is not installed any more')
  await staged.release?.()
})
