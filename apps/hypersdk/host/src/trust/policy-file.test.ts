import assert from 'node:assert/strict'
import { mkdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { test, type TestContext } from 'node:test'
import { memoryStore, type Store } from '@backplane/kernel'
import { temporaryDirectory } from '@backplane/testing'
import {
  generateKey,
  signPackage,
  signPolicy,
  type KeyPair,
  type PolicyDocument,
  type Subject,
  type TrustPolicy,
  type Verdict,
} from '@backplane/trust'
import { loadConfig } from '../config/load-config.ts'
import { hostLog } from '../daemon/host-log.ts'
import { pluginTrust, type PluginTrust } from '../daemon/plugin-trust.ts'
import { Redactor } from '../secrets/redactor.ts'

const hourMs = 3_600_000
const startMs = Date.parse('2026-11-01T00:00:00Z')
const iso = (ms: number): string => new Date(ms).toISOString()
const digest = `sha256:${'0'.repeat(64)}`
const log = hostLog({ level: 'error', pretty: false, redactor: new Redactor(), write: () => undefined })

class Ground {
  readonly #root: string
  readonly store: Store = memoryStore()
  readonly signer: KeyPair = generateKey()
  readonly release: KeyPair = generateKey()
  nowMs = startMs

  constructor(root: string) {
    this.#root = root
  }

  static async make(t: TestContext): Promise<Ground> {
    const ground = new Ground(await temporaryDirectory(t))
    await ground.write('root.json', {
      version: 1,
      expires: iso(startMs + 10_000 * hourMs),
      keys: { ops: ground.signer.publicKey },
      root: { keys: ['ops'], threshold: 1 },
      policy: { keys: ['ops'], threshold: 1 },
    })
    const policy = '{ file: ./policy.json, root: ./root.json }'
    await writeFile(join(ground.#root, 'config.yaml'), `plugins: { trust_policy: ${policy} }\ndata_directory: ./data\n`)
    return ground
  }

  async write(name: string, value: object): Promise<void> {
    await mkdir(join(this.#root, 'data'), { recursive: true })
    await writeFile(join(this.#root, name), JSON.stringify(value))
  }

  /** One that trusts `release`, which is `revoked` or not. */
  policy(revoked: { readonly revoked?: string } = {}): TrustPolicy {
    const keys = { release: { publicKey: this.release.publicKey, ...revoked } }
    return { keys, publishers: [{ name: 'Acme', ids: 'acme/*', signers: [{ key: 'release' }] }] }
  }

  async publish(over: Partial<PolicyDocument>, by: KeyPair = this.signer): Promise<void> {
    const times = { issued: iso(startMs), expires: iso(startMs + 24 * hourMs) }
    const document = { version: 1, policy: this.policy(), ...times, ...over }
    await this.write('policy.json', { policy: signPolicy(document, [by.privateKey]) })
  }

  async start(): Promise<PluginTrust> {
    const config = await loadConfig('config.yaml', {}, { env: { HOME: this.#root }, uid: 1000, cwd: this.#root })
    return pluginTrust(config, { log, store: this.store, now: () => this.nowMs })
  }

  get signed(): Subject {
    const envelope = signPackage({ id: 'acme/s3', version: '1.0.0', digest, signedAtMs: startMs }, this.release.privateKey)
    const attestations = [{ file: '.backplane/a.json', content: envelope }]
    return { id: 'acme/s3', version: '1.0.0', origin: 'external', source: 'directory:/a', digest, attestations }
  }
}

const refusal = ({ rules }: Verdict): string | undefined => rules.find(({ outcome }) => outcome === 'refused')?.reason

test('a signed policy is taken, and one that nobody of the root signed is not', async (t) => {
  const ground = await Ground.make(t)
  await ground.publish({})
  assert.equal((await ground.start()).judge(ground.signed).publisher, 'Acme')
  await ground.publish({ version: 2 }, generateKey())
  await assert.rejects(ground.start(), { code: 'TRUST_POLICY_UNSIGNED' })
  await ground.write('policy.json', { deny: [] })
  await assert.rejects(ground.start(), { code: 'TRUST_ENVELOPE_INVALID' })
})

test('an older policy is not taken again, neither at a reload nor at the next start, and what was read before stays', async (t) => {
  const ground = await Ground.make(t)
  await ground.publish({})
  const trust = await ground.start()
  await ground.publish({ version: 2, policy: ground.policy({ revoked: 'it was stolen' }) })
  await trust.reload()
  assert.match(refusal(trust.judge(ground.signed)) ?? '', /it was stolen/)
  await ground.publish({})
  await assert.rejects(trust.reload(), { code: 'TRUST_POLICY_ROLLED_BACK' })
  assert.match(refusal(trust.judge(ground.signed)) ?? '', /it was stolen/)
  await assert.rejects(ground.start(), { code: 'TRUST_POLICY_ROLLED_BACK', message: /version 1, but version 2 was seen before/ })
})

test('a policy that ran out is not taken; one that runs out later vouches for nobody from then on', async (t) => {
  const ground = await Ground.make(t)
  await ground.publish({})
  const trust = await ground.start()
  ground.nowMs = startMs + 24 * hourMs
  assert.match(refusal(trust.judge(ground.signed)) ?? '', /ran out at 2026-11-02T00:00:00\.000Z and vouches for nobody/)
  assert.equal(trust.judge({ ...ground.signed, origin: 'bundled' }).ok, true)
  await assert.rejects(ground.start(), { code: 'TRUST_POLICY_EXPIRED' })
  await ground.publish({ version: 2, issued: iso(ground.nowMs), expires: iso(ground.nowMs + hourMs) })
  await trust.reload()
  assert.equal(trust.judge(ground.signed).ok, true)
})

test('a clock that is set back revives nothing: what somebody signed is the least time there is', async (t) => {
  const ground = await Ground.make(t)
  await ground.publish({ version: 2, issued: iso(startMs + 20 * hourMs), expires: iso(startMs + 21 * hourMs) })
  ground.nowMs = startMs + 20 * hourMs
  const trust = await ground.start()
  ground.nowMs = startMs - 1_000 * hourMs
  assert.equal(trust.judge(ground.signed).ok, true, 'a signature of yesterday is not one of the future')
  await ground.publish({ version: 3, issued: iso(startMs), expires: iso(startMs + hourMs) })
  await assert.rejects(ground.start(), { code: 'TRUST_POLICY_EXPIRED' }, 'it ran out, whatever the clock says')

  const seen = { memoryVersion: 1, indexes: { corp: { version: 7, issuedMs: startMs + 30 * hourMs } } }
  await ground.write('data/indexes-seen.json', seen)
  await trust.sawIndexes()
  assert.match(refusal(trust.judge(ground.signed)) ?? '', /ran out/, 'an index that was signed later tells the time as well')
  await assert.rejects(trust.reload(), { code: 'TRUST_POLICY_EXPIRED' })
})
