import { spawn } from 'node:child_process'
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import type { Socket } from 'node:net'
import { loadavg, tmpdir } from 'node:os'
import { join } from 'node:path'
import { deviceEnumeration, gpuDetected } from '@exliar-vfio/points'
import { sampleGpu } from '@exliar-vfio/points/testing'
import { readDevices } from '../apps/exliar-vfio/host/src/devices/read-devices.ts'
import { materialise } from '../apps/exliar-vfio/host/src/fixtures/materialise.ts'
import { openSession } from '../apps/exliar-vfio/host/src/fixtures/open-session.ts'
import { development } from '../apps/exliar-vfio/host/src/fixtures/operator.ts'
import { pciFunctions, type PciFunctionSample } from '../apps/exliar-vfio/host/src/fixtures/pci-function.ts'
import { sampleTree } from '../apps/exliar-vfio/host/src/fixtures/sample-tree.ts'
import { MachineTree } from '../apps/exliar-vfio/host/src/machine/machine-tree.ts'
import { changesOptions } from '../apps/exliar-vfio/host/src/program/change-work.ts'
import { atMost, interleaved, latencyUs, median, print, type Contestant } from './rpc/contest.ts'
import { rawBatchedSocket } from './rpc/raw-socket.ts'

/**
 * The detection phase on a machine with 1,000 PCI functions and 50 confined plugins that are told of system, devices and
 * cards; and one hook through one confined plugin against the raw call of its channel. `ROUNDS` sets how often. The plugins
 * have been loaded before: what loading takes is measured in `tiers`.
 */

const rounds = Number(process.env['ROUNDS'] ?? 7)
const functions = 1_000
const cards = 8
const plugins = Number(process.env['PLUGINS'] ?? 50)
const root = mkdtempSync(join(tmpdir(), 'backplane-bench-'))
const [machine, home, quiet] = ['machine', 'home', 'quiet'].map((name) => join(root, name)) as [string, string, string]

function sample(index: number): PciFunctionSample {
  const bus = (index >> 2).toString(16).padStart(2, '0')
  const display = index % 4 === 0 && index >> 2 < cards
  return {
    bdf: `0000:${bus}:00.${index % 4}`,
    below: ['0000:00:01.0', `0000:f1:${(index % 32).toString(16).padStart(2, '0')}.0`],
    id: display ? '10de:1e84' : '10de:10f8',
    subsystem: '1458:4001',
    class: display ? '030000' : '040300',
    driver: display ? 'nvidia' : 'snd_hda_intel',
    group: index >> 2,
    resetMethod: 'flr bus',
    ...(display ? { bootVga: index === 0 } : {}),
  }
}

function dropIn(where: string, name: string, hooks: readonly string[]): void {
  const folder = join(where, '.config/exliar-vfio/plugins', name)
  mkdirSync(folder, { recursive: true })
  const manifest = {
    schemaVersion: 1,
    id: `bench/${name}`,
    version: '1.0.0',
    main: 'index.js',
    requires: { api: '^1.0.0' },
    contributes: Object.fromEntries(hooks.map((hook) => [`exliar.${hook}`, { count: {} }])),
    permissions: ['pci:read'],
  }
  writeFileSync(join(folder, 'plugin.json'), JSON.stringify(manifest))
  writeFileSync(
    join(folder, 'index.js'),
    `import { definePlugin } from '@backplane/sdk'
import { allPoints } from '@exliar-vfio/points'
let told = 0
export default definePlugin((scope) => {
  for (const hook of ${JSON.stringify(hooks)}) scope.on(allPoints.find(({ id }) => id === 'exliar.' + hook), 'count', () => { told++ })
})
`,
  )
}

try {
  materialise(machine, pciFunctions(Array.from({ length: functions }, (_, index) => sample(index))))
  const names = MachineTree.open(sampleTree('two-identical-nvidia-grub-initramfs-tools')).readText('/usr/share/hwdata/pci.ids')
  materialise(machine, { '/usr/share/hwdata/pci.ids': names ?? '' })
  for (const where of [home, quiet]) {
    mkdirSync(join(where, '.config/exliar-vfio'), { recursive: true })
    const deny = 'deny = ["nvidia-handler", "amd-reset", "intel-gvt", "perf-monitor", "notifier"]\n'
    writeFileSync(join(where, '.config/exliar-vfio/config.toml'), `${development}${deny}`)
  }
  for (let index = 0; index < plugins; index++) {
    dropIn(home, `plugin-${index}`, ['system-detected', 'device-enumeration', 'gpu-detected'])
  }
  dropIn(quiet, 'one', ['gpu-detected'])
  const options = changesOptions(MachineTree.open(machine))

  const phases: number[] = []
  const enumerations: number[] = []
  {
    const { session } = await openSession(options, home)
    await using living = session
    const { kernel } = await living.plugins()
    for (const { id } of kernel.plugins.list()) if (id.startsWith('bench/')) await kernel.plugins.start(id)
    const devices = readDevices(options.tree)
    for (let round = 0; round < rounds; round++) {
      const started = performance.now()
      const { troubles, gpus } = await living.detect()
      phases.push(performance.now() - started)
      if (troubles.length > 0 || gpus.length !== cards) throw new Error(`${troubles.length} troubles, ${gpus.length} cards`)
      const emitted = performance.now()
      await kernel.emit(deviceEnumeration, devices)
      enumerations.push(performance.now() - emitted)
    }
  }

  const { session } = await openSession(options, quiet)
  await using living = session
  const { kernel } = await living.plugins()
  await kernel.plugins.start('bench/one')
  const script = new URL('./rpc/child.ts', import.meta.url).pathname
  const child = spawn(process.execPath, ['--conditions=@backplane/source', script, 'rawBatched'], {
    stdio: ['ignore', 'inherit', 'inherit', 'pipe'],
  })
  const gpu = sampleGpu()
  const hook: Contestant = { name: 'a hook', call: () => kernel.emit(gpuDetected, gpu), close: () => undefined }
  const raw = rawBatchedSocket(child.stdio[3] as Socket)
  const channel: Contestant = { ...raw, call: () => raw.call(gpu) }
  const all = [hook, channel]
  await interleaved(all, 1, (one) => latencyUs(one, 2_000))
  const single = await interleaved(all, rounds, (one) => latencyUs(one, 1_000))
  await raw.close()
  child.kill()

  const of = (name: string): number => single.get(name) ?? Number.NaN
  print(
    `${functions} PCI functions and ${cards} cards, ${plugins} confined plugins, median of ${rounds}; load ${(loadavg()[0] ?? 0).toFixed(1)}`,
    {
      milliseconds: new Map([
        ['the detection phase, the first time', phases[0] ?? Number.NaN],
        ['the detection phase, again', median(phases)],
        ['of that, telling all of every function', median(enumerations)],
      ]),
      'us, one call, p50': single,
    },
    [
      atMost('the detection phase, the first time, milliseconds', phases[0] ?? Number.NaN, 1_000),
      atMost('one hook: through a confined plugin / the raw call of its channel', of(hook.name) / of(raw.name), 2),
    ],
  )
} finally {
  rmSync(root, { recursive: true, force: true })
}
