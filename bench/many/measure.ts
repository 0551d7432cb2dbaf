/* One start in a fresh process: `measure.ts <plugins directory> <state directory> <plugins> [--index]`. Prints JSON. */
import { join } from 'node:path'
import { createKernel, type Kernel } from '@backplane/kernel'
import { anything, defineHook, defineProvider, unary } from '@backplane/sdk'
import { directory } from '@backplane/sources'
import { inlineRuntime } from '@backplane/testing'

/** What one start cost. */
export interface Start {
  readonly readyMs: number
  /** Of this process, all threads, during the start. */
  readonly cpuMs: number
  /** Of the heap after a collection, with everything that is kept per plugin. */
  readonly heapBytesEach: number
  /** Looking again when nothing changed. */
  readonly refreshMs: number
}

const [plugins = '', state = '', count = '0'] = process.argv.slice(2)
const index = process.argv.includes('--index') ? { index: join(state, 'index') } : {}

async function start(): Promise<Kernel> {
  return createKernel({
    host: { name: 'bench', api: '1.0.0' },
    points: [
      defineProvider('bench.provider', { list: unary(anything, anything) }),
      defineHook('bench.hook', { strategy: 'pipe', value: anything }),
    ],
    sources: [directory(plugins, { store: join(state, 'store'), ...index })],
    runtimes: [inlineRuntime()],
    watch: false,
  })
}

globalThis.gc?.()
const heapBefore = process.memoryUsage().heapUsed
const cpuBefore = process.cpuUsage()
const startedMs = performance.now()
const kernel = await start()
const readyMs = performance.now() - startedMs
const cpu = process.cpuUsage(cpuBefore)
const idle = kernel.report.plugins.filter((plugin) => plugin.state === 'idle').length
if (idle !== Number(count)) throw new Error(`${idle} plugins of ${count} are idle`)
globalThis.gc?.()
const heapBytesEach = (process.memoryUsage().heapUsed - heapBefore) / Number(count)
const refreshedMs = performance.now()
await kernel.plugins.refresh()
const refreshMs = performance.now() - refreshedMs
await kernel[Symbol.asyncDispose]()
console.log(JSON.stringify({ readyMs, cpuMs: (cpu.user + cpu.system) / 1000, heapBytesEach, refreshMs } satisfies Start))
