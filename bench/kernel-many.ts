/*
 * What declared plugins cost a kernel: time until it is ready and heap per plugin, for 100, 1,000 and 10,000 of them. The
 * source is in memory, so disk is not measured here; each size runs in a fresh process.
 *   node --conditions=@backplane/source bench/kernel-many.ts
 */
import { spawnSync } from 'node:child_process'
import { anything, defineHook, defineProvider, unary } from '@backplane/sdk'
import { createKernel, type FoundPackage, type Source, type SourceListing } from '@backplane/kernel'
import { inlineRuntime } from '@backplane/testing'

const sizes = [100, 1_000, 10_000]
const provider = defineProvider('bench.provider', { list: unary(anything, anything) })
const hook = defineHook('bench.hook', { strategy: 'pipe', value: anything })

/** A manifest of about 1.3 KB, as text: a source parses it anew, so that its memory counts. */
function manifestText(number: number): string {
  return JSON.stringify({
    schemaVersion: 1,
    id: `publisher-${number % 50}/plugin-${number}`,
    version: '1.2.3',
    description: `Plugin number ${number}, which lists, searches and exports machines. `.repeat(4),
    author: 'Somebody <somebody@example.org>',
    license: 'Apache-2.0',
    tags: ['cloud', 'export', `region-${number % 7}`],
    requires: { api: '^1.0.0' },
    contributes: {
      'bench.provider': { [`plugin-${number}`]: { display: `Plugin ${number}` } },
      'bench.hook': { it: { phase: 'normal' } },
    },
    dependencies: number % 10 === 9 ? [{ id: `publisher-${(number - 1) % 50}/plugin-${number - 1}`, range: '^1.0.0' }] : [],
    permissions: ['net:connect api.example.org:443', 'fs:read ./data'],
    limits: { memory: '128MiB', concurrency: 8, timeout: '30s' },
    config: {
      type: 'object',
      additionalProperties: false,
      properties: { token: { type: 'string' }, region: { type: 'string' } },
    },
    activation: 'lazy',
  })
}

/** Of the last listing. */
let parsingMs = 0

function memorySource(texts: readonly string[]): Source {
  const found = (text: string, at: number): FoundPackage => ({
    manifest: JSON.parse(text) as unknown,
    manifestPath: `/plugins/${at}/plugin.json`,
    path: `/plugins/${at}`,
    fingerprint: `${at} 1`,
    stage: () => Promise.reject(new Error('never staged')),
  })
  const list = async (): Promise<SourceListing> => {
    const startedMs = performance.now()
    const packages = texts.map(found)
    parsingMs = performance.now() - startedMs
    return { packages, problems: [] }
  }
  return { name: 'memory', origin: 'bundled', list }
}

async function measure(plugins: number): Promise<void> {
  const texts = Array.from({ length: plugins }, (_, number) => manifestText(number))
  globalThis.gc?.()
  const before = process.memoryUsage().heapUsed
  const startedMs = performance.now()
  const kernel = await createKernel({
    host: { name: 'bench', api: '1.0.0' },
    points: [provider, hook],
    sources: [memorySource(texts)],
    runtimes: [inlineRuntime()],
    watch: false,
  })
  const readyMs = performance.now() - startedMs
  const firstParsingMs = parsingMs
  const idle = kernel.report.plugins.filter(({ state }) => state === 'idle').length
  if (idle !== plugins) throw new Error(`${plugins - idle} plugins are not idle`)
  globalThis.gc?.()
  const bytes = (process.memoryUsage().heapUsed - before) / plugins
  const refreshedMs = performance.now()
  await kernel.plugins.refresh()
  const refreshMs = performance.now() - refreshedMs
  process.stdout.write(
    `${String(plugins).padStart(6)} plugins: ready in ${readyMs.toFixed(0).padStart(4)} ms (${firstParsingMs.toFixed(0)} of them parsing manifests), ${(bytes / 1024).toFixed(1)} KiB heap each, refresh ${refreshMs.toFixed(0)} ms (${parsingMs.toFixed(0)} parsing)\n`,
  )
  await kernel[Symbol.asyncDispose]()
}

const size = Number(process.argv[2])
if (size > 0) {
  await measure(size)
} else {
  for (const plugins of sizes) {
    spawnSync(process.execPath, ['--expose-gc', ...process.execArgv, import.meta.filename, String(plugins)], { stdio: 'inherit' })
  }
}
