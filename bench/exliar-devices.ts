import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describeMachine } from '../apps/exliar-vfio/host/src/devices/describe-machine.ts'
import { readDevices } from '../apps/exliar-vfio/host/src/devices/read-devices.ts'
import { materialise } from '../apps/exliar-vfio/host/src/fixtures/materialise.ts'
import { pciFunctions, type PciFunctionSample } from '../apps/exliar-vfio/host/src/fixtures/pci-function.ts'
import { sampleTree } from '../apps/exliar-vfio/host/src/fixtures/sample-tree.ts'
import { MachineTree } from '../apps/exliar-vfio/host/src/machine/machine-tree.ts'
import { atMost, median, print } from './rpc/contest.ts'

/**
 * A machine with 1,000 PCI functions, three bridges deep, a third of them graphics adapters: time to read every function,
 * and to describe the whole machine. `ROUNDS` sets how often. The files are ordinary ones in the temporary directory.
 */

const rounds = Number(process.env['ROUNDS'] ?? 20)
const functions = 1_000
const root = mkdtempSync(join(tmpdir(), 'backplane-bench-'))

function sample(index: number): PciFunctionSample {
  const bus = (index >> 2).toString(16).padStart(2, '0')
  const display = index % 4 === 0
  return {
    bdf: `0000:${bus}:00.${index % 4}`,
    below: ['0000:00:01.0', `0000:f0:00.0`, `0000:f1:${(index % 32).toString(16).padStart(2, '0')}.0`],
    id: display ? '10de:1e84' : '10de:10f8',
    subsystem: '1458:4001',
    class: display ? '030000' : '040300',
    driver: display ? 'nvidia' : 'snd_hda_intel',
    group: index >> 2,
    resetMethod: 'flr bus',
    ...(display ? { bootVga: index === 0 } : {}),
  }
}

async function times(run: () => number): Promise<number> {
  const taken: number[] = []
  for (let round = 0; round < rounds; round++) {
    await new Promise((resolve) => setImmediate(resolve))
    const start = performance.now()
    if (run() !== functions) throw new Error('not every function was found')
    taken.push(performance.now() - start)
  }
  return median(taken)
}

try {
  materialise(root, pciFunctions(Array.from({ length: functions }, (_, index) => sample(index))))
  const list = MachineTree.open(sampleTree('two-identical-nvidia-grub-initramfs-tools')).readText('/usr/share/hwdata/pci.ids')
  materialise(root, { '/usr/share/hwdata/pci.ids': list ?? '' })
  const tree = MachineTree.open(root)
  const started = performance.now()
  describeMachine(tree)
  const first = performance.now() - started
  const read = await times(() => readDevices(tree).length)
  const whole = await times(() => describeMachine(tree).devices.length)
  print(
    `${functions} PCI functions, median of ${rounds}`,
    {
      milliseconds: new Map([
        ['the whole machine, the first time', first],
        ['the whole machine, again', whole],
        ['every function alone', read],
      ]),
    },
    [atMost('the whole machine, the first time, milliseconds', first, 500)],
  )
} finally {
  rmSync(root, { recursive: true, force: true })
}
