import { execFile } from 'node:child_process'
import { createHash } from 'node:crypto'
import { existsSync } from 'node:fs'
import { mkdir, mkdtemp, open, rm } from 'node:fs/promises'
import { loadavg, tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { createKernel } from '@backplane/kernel'
import { confined } from '@backplane/runtimes'
import { bundled } from '@backplane/sources'
import { provider } from '@hypersdk/points'
import { bundledIgnore, bundledPluginFolders, hostModules } from '../apps/hypersdk/host/src/daemon/bundled-plugins.ts'
import { runExport } from '../apps/hypersdk/host/src/export/run-export.ts'
import { allocatedBytes, makeDiskImage, type Run } from './export/disk-image.ts'
import { benchInput, inProcessClient } from './export/in-process.ts'
import { atLeast, atMost, interleaved, print, type Contestant, type Ratio } from './rpc/contest.ts'

/**
 * One export of a raw disk, half of it holes, against `cp && sha256sum`, against only hashing it in this process, and against
 * `cp` that waits for the disk as an export does (`sync`). On the disk (`BENCH_DIR`), and in memory, where only the work counts.
 * Seconds. `MIB` sets the size, `ROUNDS` the rounds.
 */

const chunkBytes = 1_048_576
const sizeBytes = Number(process.env['MIB'] ?? 1024) * chunkBytes
const rounds = Number(process.env['ROUNDS'] ?? 5)
const places: Readonly<Record<string, string>> = {
  'on the disk': process.env['BENCH_DIR'] ?? tmpdir(),
  ...(existsSync('/dev/shm') ? { 'in memory': '/dev/shm' } : {}),
}

interface Place {
  readonly root: string
  readonly images: string
  readonly image: string
}

/** Every way to get a checksum of the image; those that copy it do so into `out`. */
type Ways = Readonly<Record<string, (out: string) => Promise<string>>>

async function copied({ image }: Place, out: string, then: string): Promise<string> {
  const script = `cp "$1" "$2" && ${then} "$2"`
  const { stdout } = await promisify(execFile)('sh', ['-c', script, 'sh', image, join(out, 'disk.raw')])
  return stdout.slice(0, 64)
}

async function hashed(image: string): Promise<string> {
  await using file = await open(image)
  const hash = createHash('sha256')
  const buffer = Buffer.allocUnsafeSlow(chunkBytes)
  for (;;) {
    const { bytesRead } = await file.read(buffer, 0, chunkBytes)
    if (bytesRead === 0) return hash.digest('hex')
    hash.update(buffer.subarray(0, bytesRead))
  }
}

async function waysAt(place: Place, runs: readonly Run[], held: AsyncDisposableStack): Promise<Ways> {
  const { root, images, image } = place
  const kernel = held.use(
    await createKernel({
      host: { name: 'bench', api: '1.0.0' },
      points: [provider],
      sources: [bundled(bundledPluginFolders(), { store: join(root, 'store'), ignore: bundledIgnore })],
      runtimes: [confined({ modules: hostModules() })],
      settings: () => ({ variables: { instances: { bench: { metadata: { directory: images } } } } }),
      policy: { tier: () => 'confined', waive: () => ['exec', 'net:connect', 'fs'] },
      watch: false,
    }),
  )
  const lease = held.use(await kernel.lease(provider, 'disk-images'))
  const client = held.use(await lease.handle.open({ type: 'disk-images', metadata: { directory: images } }))
  const own = inProcessClient(image, sizeBytes, runs)
  const exported = async (using: typeof client, out: string): Promise<string> =>
    (await runExport(benchInput(using, lease, { id: 'disk.raw', outputDirectory: out, exportId: 'bench' }))).checksum
  return {
    'cp && sha256sum': (out) => copied(place, out, 'sha256sum'),
    'cp && sync': (out) => copied(place, out, 'sync'),
    'hash in process': () => hashed(image),
    'export, in process': (out) => exported(own, out),
    'export, confined plugin': (out) => exported(client, out),
  }
}

interface Measured {
  readonly seconds: ReadonlyMap<string, number>
  /** MiB that are really there. */
  readonly allocated: ReadonlyMap<string, number>
}

async function measure(root: string): Promise<Measured> {
  await using held = new AsyncDisposableStack()
  held.defer(() => rm(root, { recursive: true, force: true }))
  const images = join(root, 'images')
  const place: Place = { root, images, image: join(images, 'disk.raw') }
  await mkdir(images)
  const runs = await makeDiskImage(place.image, sizeBytes)
  const ways = await waysAt(place, runs, held)
  const expected = await hashed(place.image)
  const allocated = new Map([['source', (await allocatedBytes(place.image)) / chunkBytes]])

  const seconds = async (name: string): Promise<number> => {
    const out = await mkdtemp(join(root, 'out-'))
    const start = performance.now()
    const checksum = await ways[name]?.(out)
    const took = (performance.now() - start) / 1000
    if (checksum !== '' && checksum !== expected) throw new Error(`${name}: wrong checksum`)
    if (name.startsWith('export')) allocated.set(name, (await allocatedBytes(join(out, 'disk.raw'))) / chunkBytes)
    await rm(out, { recursive: true })
    return took
  }
  const all = Object.keys(ways).map((name): Contestant => ({ name, call: () => seconds(name), close: () => {} }))
  // Memory that was never touched is slow to get; one round of everything touches it.
  for (const one of all) await seconds(one.name)
  return { seconds: await interleaved(all, rounds, (one) => seconds(one.name)), allocated }
}

const loadBefore = loadavg()[0] ?? 0
const numbers: Record<string, ReadonlyMap<string, number>> = {}
const ratios: Ratio[] = []
for (const [where, directory] of Object.entries(places)) {
  const { seconds, allocated } = await measure(await mkdtemp(join(directory, 'export-bench-')))
  const of = (name: string): number => seconds.get(name) ?? Number.NaN
  const [copy, hash] = [of('cp && sha256sum'), of('hash in process')]
  // Whoever hashes all of it and waits for the disk takes at least this.
  const floor = Math.max(hash, of('cp && sync'))
  numbers[`seconds, ${where}`] = seconds
  numbers[`MiB, ${where}`] = allocated
  for (const name of ['export, in process', 'export, confined plugin']) {
    const took = of(name)
    ratios.push(atLeast(`${where}: cp && sha256sum / ${name}`, copy / took, 1))
    ratios.push(atLeast(`${where}: the slower of hash in process and cp && sync / ${name}`, floor / took, 0.8))
    if (where === 'in memory') ratios.push(atLeast(`${where}: hash in process / ${name}`, hash / took, 0.8))
  }
  const blocks = (allocated.get('export, confined plugin') ?? Number.NaN) / (allocated.get('source') ?? Number.NaN)
  ratios.push(atMost(`${where}: blocks of target / source`, blocks, 1.01))
}
numbers['load average'] = new Map([
  ['before', loadBefore],
  ['after', loadavg()[0] ?? 0],
])
print(`Export of a raw disk of ${sizeBytes / chunkBytes} MiB, half of it holes`, numbers, ratios)
