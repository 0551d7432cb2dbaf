import assert from 'node:assert/strict'
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { test, type TestContext } from 'node:test'
import { generateKey, signPolicy, type KeyPair, type TrustPolicy } from '@backplane/trust'
import { Hypervisord, makePlaces, type Places } from '../support/hypervisord.ts'
import { writeSignedProvider } from '../support/signed-package.ts'

const hourMs = 3_600_000
const iso = (ms: number): string => new Date(ms).toISOString()

interface Stage {
  readonly places: Places
  /** Signs a version of the policy and puts it where the daemon reads it. */
  readonly publish: (
    version: number,
    made?: { readonly revoked?: string; readonly issuedMs?: number; readonly forMs?: number },
  ) => Promise<void>
}

/** A daemon's places whose policy is signed, with a provider in a folder that it trusts. */
async function stage(t: TestContext): Promise<Stage> {
  const places = await makePlaces(
    t,
    'plugins: { directories: [./plugins], trust_policy: { file: ./policy.json, root: ./root.json } }\n',
  )
  const [ops, release]: readonly [KeyPair, KeyPair] = [generateKey(), generateKey()]
  const role = { keys: ['ops'], threshold: 1 }
  const root = { version: 1, expires: iso(Date.now() + 1_000 * hourMs), keys: { ops: ops.publicKey }, root: role, policy: role }
  await writeFile(join(places.root, 'root.json'), JSON.stringify(root))
  await writeSignedProvider(join(places.plugins, 'slow'), { version: '1.0.0', permissions: [] }, release)
  const publish: Stage['publish'] = async (version, { revoked, issuedMs = Date.now(), forMs = hourMs } = {}) => {
    const key = { publicKey: release.publicKey, ...(revoked === undefined ? {} : { revoked }) }
    const policy: TrustPolicy = {
      keys: { release: key },
      publishers: [{ name: 'Acme', ids: 'acme/*', signers: [{ key: 'release' }] }],
    }
    const document = { version, issued: iso(issuedMs), expires: iso(issuedMs + forMs), policy }
    await writeFile(join(places.root, 'policy.json'), JSON.stringify({ policy: signPolicy(document, [ops.privateKey]) }))
  }
  return { places, publish }
}

test('a signed policy that took a key back is followed at SIGHUP, and no older one brings it back', async (t) => {
  const { places, publish } = await stage(t)
  await publish(1)
  const daemon = await Hypervisord.start(places, {}, [], [])
  const call = async (): Promise<number> => (await daemon.get('/api/providers/slow/vms')).status
  assert.equal(await call(), 200)
  await publish(2, { revoked: 'it was stolen' })
  daemon.child.kill('SIGHUP')
  await daemon.until(async () => (await call()) === 503)

  await publish(1)
  daemon.child.kill('SIGHUP')
  await daemon.until(async () => daemon.output.includes('TRUST_POLICY_ROLLED_BACK'))
  await daemon.post('/api/plugins/slow/reload')
  assert.equal(await call(), 503, 'what was read before goes on')
  assert.match((await daemon.get('/api/plugins/acme/slow/why')).text, /it was stolen/)
  assert.equal(await daemon.stop(), 0)
  await assert.rejects(Hypervisord.start(places, {}, [], []), /ended with 77:.*TRUST_POLICY_ROLLED_BACK/s)
})

test('a clock that is behind what was signed brings no policy back that ran out', async (t) => {
  const { places, publish } = await stage(t)
  // signed by somebody whose clock is right: this one is two hours behind
  await publish(1, { issuedMs: Date.now() + 2 * hourMs })
  const daemon = await Hypervisord.start(places, {}, [], [])
  assert.equal((await daemon.get('/api/providers/slow/vms')).status, 200)
  await publish(2, { issuedMs: Date.now(), forMs: hourMs })
  daemon.child.kill('SIGHUP')
  await daemon.until(async () => daemon.output.includes('TRUST_POLICY_EXPIRED'))
  assert.equal(await daemon.stop(), 0)
  await assert.rejects(Hypervisord.start(places, {}, [], []), /ended with 77:.*TRUST_POLICY_EXPIRED/s)
})

test('a policy that runs out while the daemon runs vouches for nobody any more', async (t) => {
  const { places, publish } = await stage(t)
  await publish(1, { issuedMs: Date.now() - hourMs, forMs: hourMs + 6_000 })
  const daemon = await Hypervisord.start(places, {}, [], [])
  const call = async (): Promise<number> => (await daemon.get('/api/providers/slow/vms')).status
  assert.equal(await call(), 200)
  assert.match(daemon.output, /the trust policy runs out at /)
  await daemon.until(async () => {
    await daemon.post('/api/plugins/slow/reload')
    return JSON.stringify((await daemon.plugin('slow')).update ?? '').includes('ran out at')
  })
  const problems = async (): Promise<string> => (await daemon.get('/api/system')).body.problems.join('; ')
  assert.match(await problems(), /the trust policy ran out at .*send SIGHUP/)
  await publish(2, { forMs: 100 * hourMs })
  daemon.child.kill('SIGHUP')
  await daemon.until(async () => {
    await daemon.post('/api/plugins/slow/reload')
    return (await daemon.plugin('slow')).update === null
  })
  assert.equal(await call(), 200)
  assert.equal(await problems(), '')
})
