import assert from 'node:assert/strict'
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { type TestContext, describe, test } from 'node:test'
import { requireProgram } from '@backplane/testing'
import { backplane } from '../support/backplane.ts'
import { Hypervisord, makePlaces } from '../support/hypervisord.ts'
import { gitMarket, indexMarket, npmMarket, ociMarket, type Market } from '../support/markets.ts'
import { trustNewKey, writeSignedProvider } from '../support/signed-package.ts'

const reads = 'fs:read ${instances.*.metadata.directory}'
const writes = 'fs:write ${instances.*.metadata.directory}'

/** A network namespace of its own, in which there is nobody but itself. */
const withoutNetwork = ['bwrap', '--dev-bind', '/', '/', '--unshare-net', '--die-with-parent']

const kinds: Readonly<Record<string, (t: TestContext, root: string) => Promise<Market | undefined>>> = {
  git: gitMarket,
  oci: ociMarket,
  index: indexMarket,
  npm: npmMarket,
}

// Each has a daemon of its own, and waits more than it works.
describe('what is locked', { concurrency: 2 }, () => {
  for (const [kind, market] of Object.entries(kinds)) {
    test(`from ${kind}: added, locked, used, updated once more is approved, rolled back, and started without a network`, async (t) => {
      if (!requireProgram(t, 'bwrap', 'bubblewrap')) return
      const places = await makePlaces(t)
      const here = await market(t, places.root)
      if (here === undefined) return
      const plugins = `plugins: { directories: [./plugins], trust_policy: ./trust.json, sources: { ${here.sources} } }\n`
      await Hypervisord.configure(places, (text) => text + plugins)
      const key = await trustNewKey(join(places.root, 'trust.json'))
      const grants = join(places.root, 'grants.json')
      const grant = (...permissions: readonly string[]): Promise<void> =>
        writeFile(grants, JSON.stringify({ grantsVersion: 1, plugins: { 'acme/slow': { permissions } } }))
      const publish = async (version: string, permissions: readonly string[]): Promise<void> => {
        const folder = join(places.root, `made-${version}/slow`)
        await writeSignedProvider(folder, { version, permissions }, key)
        await here.publish(folder, version)
      }
      await publish('1.0.0', [reads])
      const daemon = await Hypervisord.start(places, {}, [], [])
      const serving = async (at = daemon): Promise<string> => {
        const { status, body, text } = await at.get('/api/providers/slow/vms')
        assert.equal(status, 200, text)
        return body.vms[0].tags.version
      }

      const unasked = await backplane(places, 'add', here.reference, '--yes')
      assert.deepEqual([unasked.code, /BACKPLANE_UNAPPROVED: .*fs:read/.test(unasked.err)], [77, true], unasked.err)
      await grant(reads)
      // as others write it
      const written = here.reference.replace(/^oci:/, 'oci://')
      const added = await backplane(places, 'add', written, '--grant-file', grants)
      assert.deepEqual([added.code, added.out], [0, 'acme/slow 1.0.0 installed\n'], added.err)
      const lock = JSON.parse((await backplane(places, 'lock', '--json')).out)
      const { requested, permissions, publisher, artifacts } = lock.plugins['acme/slow']
      assert.deepEqual([requested, permissions, publisher], [here.reference, [reads], 'Acme'])
      assert.equal(artifacts.any.place.kind, kind)
      assert.equal(await serving(), '1.0.0')

      await publish('1.1.0', [reads, writes])
      // what was just read of an index counts for ten seconds
      await daemon.until(async () => /1\.1\.0 .*fs:write/.test((await backplane(places, 'outdated')).out))
      const blocked = await backplane(places, 'update', '--yes')
      assert.deepEqual([blocked.code, /BACKPLANE_UNAPPROVED: .*fs:write/.test(blocked.err)], [77, true], blocked.err)
      assert.equal(await serving(), '1.0.0', 'the old version goes on')
      await grant(writes)
      const updated = await backplane(places, 'update', '--grant-file', grants)
      assert.deepEqual([updated.code, updated.out], [0, 'acme/slow 1.1.0 updated\n'], updated.err)
      await daemon.until(async () => (await serving()) === '1.1.0')
      const back = await backplane(places, 'rollback', 'acme/slow')
      assert.equal(back.code, 0, back.err)
      await daemon.until(async () => (await serving()) === '1.0.0')
      assert.equal(await daemon.stop(), 0)

      await here.stop()
      const alone = await Hypervisord.start(places, {}, withoutNetwork, [])
      assert.equal(await serving(alone), '1.0.0', 'what was rolled back stays so')
      const unpinned = await backplane(places, 'rollback', 'acme/slow', '--to', '1.1.0')
      assert.equal(unpinned.code, 0, unpinned.err)
      await alone.until(async () => (await serving(alone)) === '1.1.0')
      assert.equal((await backplane(places, 'verify')).out, 'everything is as the lock says\n')
      const unreachable = await backplane(places, 'update')
      assert.notEqual(unreachable.code, 0, 'there is nobody to ask')
      assert.equal(await serving(alone), '1.1.0')
    })
  }
})
