import { execFile } from 'node:child_process'
import { createHash } from 'node:crypto'
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
import { allocatedBytes, makeDiskImage } from './export/disk-image.ts'
import { benchInput, inProcessClient } from './export/in-process.ts'
import { atLeast, atMost, interleaved, print, type Contestant } from './rpc/contest.ts'

/**
 * One export of a raw disk, half of it holes, against `cp && sha256sum` and against only hashing it in this process.
 * Seconds; an export also waits for the disk (fsync), `cp` does not. `MIB` sets the size, `ROUNDS` the rounds.
 */

const chunkBytes = 1_048_576
const sizeBytes = Number(process.env['MIB'] ?? 1024) * chunkBytes
const rounds = Number(process.env['ROUNDS'] ?? 5)
const root = await mkdtemp(join(process.env['BENCH_DIR'] ?? tmpdir(), 'export-bench-'))
const images = join(root, 'images')
const image = join(images, 'disk.raw')
await mkdir(images)
const runs = await makeDiskImage(image, sizeBytes)

async function copyAndSum(out: string): Promise<string> {
  const { stdout } = await promisify(execFile)('sh', ['-c', 'cp "$1" "$2" && sha256sum "$2"', 'sh', image, join(out, 'disk.raw')])
  return stdout.slice(0, 64)
}

async function hashOnly(): Promise<string> {
  await using file = await open(image)
  const hash = createHash('sha256')
  const buffer = Buffer.allocUnsafeSlow(chunkBytes)
  for (;;) {
    const { bytesRead } = await file.read(buffer, 0, chunkBytes)
    if (bytesRead === 0) return hash.digest('hex')
    hash.update(buffer.subarray(0, bytesRead))
  }
}

const kernel = await createKernel({
  host: { name: 'bench', api: '1.0.0' },
  points: [provider],
  sources: [bundled(bundledPluginFolders(), { store: join(root, 'store'), ignore: bundledIgnore })],
  runtimes: [confined({ modules: hostModules() })],
  settings: () => ({ variables: { instances: { bench: { metadata: { directory: images } } } } }),
  policy: { tier: () => 'confined', waive: () => ['exec', 'net:connect', 'fs'] },
  watch: false,
})
const lease = await kernel.lease(provider, 'disk-images')
const client = await lease.handle.open({ type: 'disk-images', metadata: { directory: images } })
const own = inProcessClient(image, sizeBytes, runs)

const exported = async (using: typeof client, out: string): Promise<string> =>
  (await runExport(benchInput(using, lease, { id: 'disk.raw', outputDirectory: out, exportId: 'bench' }))).checksum
const contestants: Readonly<Record<string, (out: string) => Promise<string>>> = {
  'cp && sha256sum': copyAndSum,
  'hash in process': hashOnly,
  'export, in process': (out: string) => exported(own, out),
  'export, confined plugin': (out: string) => exported(client, out),
}

const loadBefore = loadavg()[0] ?? 0
const expected = await hashOnly()
const allocated = new Map<string, number>([['source', (await allocatedBytes(image)) / chunkBytes]])

async function seconds(name: string): Promise<number> {
  const out = await mkdtemp(join(root, 'out-'))
  const start = performance.now()
  const checksum = await contestants[name]?.(out)
  const took = (performance.now() - start) / 1000
  if (checksum !== expected) throw new Error(`${name}: wrong checksum`)
  if (name.startsWith('export')) allocated.set(name, (await allocatedBytes(join(out, 'disk.raw'))) / chunkBytes)
  await rm(out, { recursive: true })
  return took
}

try {
  const all = Object.keys(contestants).map((name): Contestant => ({
    name,
    call: () => seconds(name),
    close: () => {},
  }))
  // Memory that was never touched is slow to get; one round of everything touches it.
  for (const one of all) await seconds(one.name)
  const took = await interleaved(all, rounds, (one) => seconds(one.name))
  const of = (name: string): number => took.get(name) ?? Number.NaN
  const source = allocated.get('source') ?? Number.NaN
  print(
    `Export of a raw disk of ${sizeBytes / chunkBytes} MiB, half of it holes`,
    {
      seconds: took,
      'MiB on the disk': allocated,
      'load average': new Map([
        ['before', loadBefore],
        ['after', loadavg()[0] ?? 0],
      ]),
    },
    [
      atLeast('cp && sha256sum / export in process', of('cp && sha256sum') / of('export, in process'), 1),
      atLeast('cp && sha256sum / export, confined plugin', of('cp && sha256sum') / of('export, confined plugin'), 1),
      atLeast('hash in process / export in process', of('hash in process') / of('export, in process'), 0.8),
      atLeast('hash in process / export, confined plugin', of('hash in process') / of('export, confined plugin'), 0.8),
      atMost('blocks: target / source', (allocated.get('export, confined plugin') ?? Number.NaN) / source, 1.01),
    ],
  )
} finally {
  await client[Symbol.asyncDispose]()
  await lease[Symbol.asyncDispose]()
  await kernel[Symbol.asyncDispose]()
  await rm(root, { recursive: true, force: true })
}
