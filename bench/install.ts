import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { acceptManifest } from '@backplane/kernel'
import { directoryFetcher, Installer } from '@backplane/sources/install'
import { generateKey, judge, signPackage } from '@backplane/trust'
import { atMost, median, print } from './rpc/contest.ts'

/**
 * Installing signed packages that the store holds already, as after a lock that was lost, or a plugin that is put back: one
 * after the other into a lock that grows, and all of them in one plan. Each package has a few files; the disk's cache is warm.
 */

const plugins = process.argv.includes('--quick') ? 20 : 200
const root = mkdtempSync(join(tmpdir(), 'backplane-bench-'))
const options = { signal: new AbortController().signal }
const key = generateKey()
const policy = {
  keys: { bench: { publicKey: key.publicKey } },
  publishers: [{ name: 'Bench', ids: 'bench/*', signers: [{ key: 'bench' }] }],
}
const references = Array.from({ length: plugins }, (_, number) => join(root, 'packages', `plugin-${number}`))
const fetcher = directoryFetcher()

async function write(folder: string, id: string): Promise<void> {
  mkdirSync(join(folder, '.backplane'), { recursive: true })
  writeFileSync(
    join(folder, 'plugin.json'),
    JSON.stringify({ schemaVersion: 1, id, version: '1.0.0', requires: { api: '^1.0.0' } }),
  )
  for (let file = 0; file < 10; file++)
    writeFileSync(join(folder, `${file}.js`), `export default ${file}\n${'// a line\n'.repeat(400)}`)
  const [found] = await fetcher.versions(folder, options)
  const digest = found?.place.kind === 'directory' ? found.place.digest : ''
  const envelope = signPackage({ id, version: '1.0.0', digest, signedAtMs: Date.now() }, key.privateKey)
  writeFileSync(join(folder, '.backplane', 'bench.json'), JSON.stringify(envelope))
}

function installerOn(lock: string): Installer {
  return new Installer({
    lock: join(root, lock),
    store: join(root, 'store'),
    fetchers: [fetcher],
    judge: (subject) => judge(subject, policy, Date.now()),
    acceptManifest,
    hostApi: '1.0.0',
  })
}

async function add(installer: Installer, ...those: readonly string[]): Promise<number> {
  const startedMs = performance.now()
  const changes = those.map((reference) => ({ kind: 'add', reference }) as const)
  await installer.apply(await installer.plan(changes, options), {}, options)
  return performance.now() - startedMs
}

const numbers = new Map<string, number>()
try {
  for (const [number, folder] of references.entries()) await write(folder, `bench/plugin-${number}`)
  numbers.set('into an empty store, in one plan', (await add(installerOn('cold.lock'), ...references)) / plugins)
  numbers.set('into the warm store, in one plan', (await add(installerOn('warm.lock'), ...references)) / plugins)
  const installer = installerOn('one-by-one.lock')
  const each: number[] = []
  for (const reference of references) each.push(await add(installer, reference))
  numbers.set('one by one, median', median(each))
  numbers.set(`one by one, the last ten beside ${plugins - 10} others`, median(each.slice(-10)))
} finally {
  rmSync(root, { recursive: true, force: true })
}
print('Installing from the warm store', { 'ms each': numbers }, [
  atMost('in one plan: ms each', numbers.get('into the warm store, in one plan') ?? Number.NaN, 50),
  atMost(
    'one by one beside all others: ms each',
    numbers.get(`one by one, the last ten beside ${plugins - 10} others`) ?? Number.NaN,
    50,
  ),
])
