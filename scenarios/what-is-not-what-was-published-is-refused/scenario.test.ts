import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { readFile, rm, writeFile } from 'node:fs/promises'
import { createConnection, createServer, type AddressInfo } from 'node:net'
import { join } from 'node:path'
import { type TestContext, describe, test } from 'node:test'
import { generateKey, type KeyPair, type TrustedKey } from '@backplane/trust'
import { backplane } from '../support/backplane.ts'
import { Hypervisord, makePlaces, type Places } from '../support/hypervisord.ts'
import { gitMarket } from '../support/markets.ts'
import { NpmRegistry, token } from '../support/npm-registry.ts'
import { packFolder, signFolder, trustNewKey } from '../support/signed-package.ts'
import { writeSlowProvider } from '../support/slow-provider.ts'

const hourMs = 3_600_000
const reads = 'fs:read ${instances.*.metadata.directory}'

interface Case {
  /** What the policy says of the publisher's key beside the key itself. */
  readonly key?: Omit<TrustedKey, 'publicKey'>
  /** When it was signed; default now. Nobody does where it is `unsigned`. */
  readonly signed?: number | 'unsigned' | 'by a stranger'
  /** Put at the beginning of its module. */
  readonly code?: string
  /** Whether the registry serves other bytes than it says. */
  readonly tampered?: true
  /** What `backplane add` says; undefined where it takes the package. */
  readonly refusal?: RegExp
  readonly exit?: number
}

const now = Date.now()
const cases: Readonly<Record<string, Case>> = {
  'a key that ran out after it was used': { key: { notAfterMs: now - hourMs }, signed: now - 2 * hourMs },
  'a key that ran out before it was used': {
    key: { notAfterMs: now - hourMs },
    signed: now,
    refusal: /INSTALL_REFUSED: .*key release counts until/s,
    exit: 77,
  },
  'a key that was revoked, whenever it was used': {
    key: { revoked: 'it was stolen' },
    signed: now - 2 * hourMs,
    refusal: /INSTALL_REFUSED: .*revoked.*it was stolen/s,
    exit: 77,
  },
  'a package that nobody signed': { signed: 'unsigned', refusal: /INSTALL_REFUSED: .*nobody signed it/s, exit: 77 },
  'a publisher whom nobody trusts': {
    signed: 'by a stranger',
    refusal: /INSTALL_REFUSED: .*signed with key .* that the policy does not hold/s,
    exit: 77,
  },
  'code that starts programs, though its publisher signed it': {
    code: "import { exec } from 'node:child_process'\nexport const go = () => exec('id')\n",
    refusal: /INSTALL_REFUSED: .*static\/child-process.*index\.js:1.*acceptedFindings/s,
    exit: 77,
  },
  'other bytes than the registry promised': {
    tampered: true,
    refusal: /FETCH_CHANGED: .*another SHA-512 than it must have/s,
    exit: 65,
  },
}

async function stage(t: TestContext): Promise<{ readonly places: Places; readonly registry: NpmRegistry }> {
  const registry = new NpmRegistry()
  await registry.start(t)
  const sources = `sources: { npm: { '@acme': { url: '${registry.url}', token: '\${secret:npm}' } } }`
  const plugins = `plugins: { directories: [./plugins], trust_policy: ./trust.json, ${sources} }\n`
  return { places: await makePlaces(t, plugins), registry }
}

/** Publishes `@acme/slow` as the case says. */
async function publish(
  places: Places,
  registry: NpmRegistry,
  key: KeyPair,
  { signed = now, code = '', tampered }: Case,
): Promise<void> {
  const folder = join(places.root, 'made/slow')
  await writeSlowProvider(folder, { version: '1.0.0', permissions: [reads], code })
  if (signed !== 'unsigned') {
    const by = signed === 'by a stranger' ? generateKey() : key
    await signFolder(folder, { version: '1.0.0', signedAtMs: typeof signed === 'number' ? signed : now }, by)
  }
  registry.publish('@acme/slow', '1.0.0', await readFile(packFolder(folder, join(places.root, 'slow.tgz'))))
  if (tampered === undefined) return
  await writeFile(join(folder, 'index.js'), '// evil')
  registry.tamper('@acme/slow', '1.0.0', await readFile(packFolder(folder, join(places.root, 'evil.tgz'))))
}

// Each has a daemon of its own, and waits more than it works.
describe('what is not what was published', { concurrency: 2 }, () => {
  test('each way in which a package is not what its publisher published has its own answer, and nothing of it is stored', async (t) => {
    const { places, registry } = await stage(t)
    const policyFile = join(places.root, 'trust.json')
    const key = await trustNewKey(policyFile)
    const daemon = await Hypervisord.start(places, { HYPERSDK_SECRET_NPM: token }, [], [])
    const grants = join(places.root, 'grants.json')
    await writeFile(grants, JSON.stringify({ grantsVersion: 1, plugins: { 'acme/slow': { permissions: [reads] } } }))
    for (const [title, one] of Object.entries(cases).toReversed()) {
      const policy = {
        keys: { release: { publicKey: key.publicKey, ...one.key } },
        publishers: [{ name: 'Acme', ids: 'acme/*', signers: [{ key: 'release' }] }],
      }
      await writeFile(policyFile, JSON.stringify(policy))
      daemon.child.kill('SIGHUP')
      await daemon.until(async () =>
        (await daemon.get('/api/trust')).text.includes(JSON.stringify(policy.keys.release).slice(1, -1)),
      )
      await publish(places, registry, key, one)
      const added = await backplane(places, 'add', 'npm:@acme/slow', '--grant-file', grants)
      const { plugins } = (await daemon.get('/api/lock')).body
      if (one.refusal === undefined) {
        assert.deepEqual([added.code, added.out], [0, 'acme/slow 1.0.0 installed\n'], `${title}: ${added.err}`)
        assert.equal((await daemon.get('/api/providers/slow/vms')).status, 200, title)
        continue
      }
      assert.match(added.err, one.refusal, title)
      assert.equal(added.code, one.exit, `${title}: ${added.err}`)
      assert.deepEqual(plugins, {}, title)
      assert.equal(await daemon.plugin('slow'), undefined, title)
      await rm(join(places.root, 'made'), { recursive: true })
    }
  })

  test('a tag of git that moved is followed by no plan, and what was locked goes on', async (t) => {
    const places = await makePlaces(t)
    const market = await gitMarket(t, places.root)
    if (market === undefined) return
    await Hypervisord.configure(
      places,
      (text) => `${text}plugins: { directories: [./plugins], trust_policy: ./trust.json, sources: { ${market.sources} } }\n`,
    )
    const key = await trustNewKey(join(places.root, 'trust.json'))
    const folder = join(places.root, 'made/slow')
    const release = async (code: string): Promise<void> => {
      await writeSlowProvider(folder, { version: '1.0.0', permissions: [reads], code })
      await signFolder(folder, { version: '1.0.0' }, key)
      await market.publish(folder, '1.0.0')
    }
    await release('')
    const daemon = await Hypervisord.start(places, {}, [], [])
    const grants = join(places.root, 'grants.json')
    await writeFile(grants, JSON.stringify({ grantsVersion: 1, plugins: { 'acme/slow': { permissions: [reads] } } }))
    const reference = `git:file://${market.directory}@v1.0.0`
    const added = await backplane(places, 'add', reference, '--grant-file', grants)
    assert.equal(added.code, 0, added.err)
    const locked = (await daemon.get('/api/lock')).text
    await release('// moved')
    for (const again of [['update'], ['add', reference, '--grant-file', grants]]) {
      const moved = await backplane(places, ...again)
      assert.match(moved.err, /FETCH_CHANGED: .*the tag refs\/tags\/v1\.0\.0 leads to .*, which was locked/s)
      assert.equal(moved.code, 65)
    }
    assert.equal((await daemon.get('/api/lock')).text, locked)
    assert.equal((await daemon.get('/api/providers/slow/vms')).status, 200)

    const listener = createServer().listen(0, '127.0.0.1')
    await once(listener, 'listening')
    const { port } = listener.address() as AddressInfo
    listener.close()
    await once(listener, 'close')
    const served = [
      '--reuseaddr',
      '--listen=127.0.0.1',
      `--port=${port}`,
      '--export-all',
      `--base-path=${places.root}/repositories`,
    ]
    const server = spawn('git', ['daemon', ...served], { stdio: 'ignore', detached: true })
    t.after(() => process.kill(-Number(server.pid), 'SIGKILL'))
    await daemon.until(
      () =>
        new Promise((resolve) => {
          const socket = createConnection(port, '127.0.0.1', () => resolve((socket.destroy(), true)))
          socket.on('error', () => resolve(false))
        }),
    )
    const unencrypted = await backplane(places, 'add', `git:git://127.0.0.1:${port}/slow.git`, '--grant-file', grants)
    assert.match(unencrypted.err, /FETCH_REFERENCE_INVALID/, 'a server that proves nothing of itself is not asked')
  })
})
