import { join } from 'node:path'
import type { TestContext } from 'node:test'
import { createKernel, type Kernel, type KernelLogLine } from '@backplane/kernel'
import { confined, trusted } from '@backplane/runtimes'
import { definePlugin, type Tier } from '@backplane/sdk'
import { bundled } from '@backplane/sources'
import { temporaryDirectory } from '@backplane/testing'
import * as exliar from '@exliar-vfio/points'
import { samplePciDevice } from '@exliar-vfio/points/testing'

/** The plugins that come with Exliar. */
export const names = ['nvidia-handler', 'amd-reset', 'intel-gvt', 'perf-monitor', 'notifier'] as const

const plugins = join(import.meta.dirname, '../../apps/exliar-vfio/plugins')

/** How a kernel with Exliar's plugins is made. */
export interface ExliarKernelOptions {
  readonly tier: Tier
  /** By name, such as `notifier`. */
  readonly settings?: Readonly<Record<string, object>>
  readonly secrets?: Readonly<Record<string, string>>
  /** What a machine uses when it is looked at. */
  readonly sample?: (domain: string) => exliar.MetricsSample
  /** More plugins, each a folder. */
  readonly folders?: readonly string[]
}

/** A kernel with Exliar's points and plugins, and a core that answers what a test says. */
export interface ExliarKernel {
  readonly kernel: Kernel
  readonly lines: readonly KernelLogLine[]
  /** Settles with the first line that says so, also one that was written already. */
  readonly line: (message: RegExp) => Promise<KernelLogLine>
}

/** Starts it; it ends with the test. */
export async function exliarKernel(t: TestContext, options: ExliarKernelOptions): Promise<ExliarKernel> {
  const root = await temporaryDirectory(t)
  const modules = {
    '@backplane/sdk': import.meta.resolve('@backplane/sdk'),
    '@exliar-vfio/points': import.meta.resolve('@exliar-vfio/points'),
  }
  const lines: KernelLogLine[] = []
  const waiting = new Set<(line: KernelLogLine) => void>()
  const folders = [...names.map((name) => join(plugins, name)), ...(options.folders ?? [])]
  const kernel = await createKernel({
    host: { name: 'exliar', api: '1.0.0' },
    points: exliar.allPoints,
    permissions: exliar.permissions,
    sources: [
      bundled([core(options.sample), ...folders.map((directory) => ({ directory }))], {
        store: join(root, 'store'),
        ignore: ['dist', 'node_modules', 'src/**/*.test.ts', 'src/fixtures'],
      }),
    ],
    runtimes: [trusted({ modules }), confined({ modules, temporaryDirectory: root })],
    policy: { tier: ({ id }) => (id === 'exliar/core' ? 'trusted' : options.tier) },
    settings: (id) => ({ config: options.settings?.[id.replace('exliar/', '')] ?? {} }),
    secrets: { resolve: async (name) => options.secrets?.[name] },
    dataDirectory: join(root, 'data'),
    watch: false,
    log: {
      write: (line) => {
        lines.push(line)
        for (const tell of waiting) tell(line)
      },
    },
  })
  t.after(() => kernel[Symbol.asyncDispose]())
  const line = (message: RegExp): Promise<KernelLogLine> => {
    const known = lines.find((each) => message.test(each.message))
    if (known !== undefined) return Promise.resolve(known)
    return new Promise((resolve) => waiting.add((each) => message.test(each.message) && resolve(each)))
  }
  return { kernel, lines, line }
}

/** The services of the host that these plugins use. */
function core(sample: ExliarKernelOptions['sample']): Parameters<typeof bundled>[0][number] {
  const module = definePlugin((scope) => {
    scope.provide(exliar.metricsService, 'core', {
      sample: ({ domain }) => sample?.(domain) ?? { cpu_percent: null, memory_mb: null, gpu_busy_percent: null },
    })
    scope.provide(exliar.deviceService, 'core', {
      list: () => [],
      gpus: () => [],
      get: ({ bdf }) => samplePciDevice({ bdf, vendor_id: '1002', reset_methods: ['bus', 'device_specific'] }),
    })
  })
  const contributes = { 'exliar.metrics': { core: {} }, 'exliar.devices': { core: {} } }
  return { manifest: { schemaVersion: 1, id: 'exliar/core', version: '1.0.0', requires: { api: '*' }, contributes }, module }
}
