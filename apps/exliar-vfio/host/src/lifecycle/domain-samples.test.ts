import assert from 'node:assert/strict'
import { rm } from 'node:fs/promises'
import { join } from 'node:path'
import { test } from 'node:test'
import { madeTree, materialise } from '../fixtures/materialise.ts'
import { domainSamples } from './domain-samples.ts'

/** What proc(5) shows of a hypervisor that has spent so much. */
function hypervisor(pid: number, guest: string, ticks: number): Readonly<Record<string, string>> {
  return {
    [`${pid}/cmdline`]: `/usr/bin/qemu-system-x86_64\0-name\0guest=${guest},debug-threads=on\0-m\0size=1\0`,
    [`${pid}/stat`]: `${pid} (qemu (x) 1) S 1 1 1 0 -1 0 0 0 0 0 ${ticks} 0 0 0 20 0 1 0 100`,
    [`${pid}/status`]: 'Name:\tqemu\nVmRSS:\t 2097152 kB\n',
    [`${pid}/task/${pid}/comm`]: 'qemu-system-x86\n',
    [`${pid}/task/${pid + 1}/comm`]: 'CPU 0/KVM\n',
    [`${pid}/task/${pid + 2}/comm`]: 'CPU 1/KVM\n',
  }
}

test('a machine’s use is told from one look to the next, of all its processors', async (t) => {
  const proc = await madeTree(t, hypervisor(40, 'win10', 0), hypervisor(50, 'win11', 1_000), { 'self/comm': 'x' })
  let nowMs = 1_000
  const sample = domainSamples(proc, () => nowMs)
  assert.deepEqual(await sample('win11'), { cpu_percent: null, memory_mb: 2147, gpu_busy_percent: null })
  nowMs += 2_000
  // One and a half processors of two, for two seconds.
  materialise(proc, hypervisor(50, 'win11', 1_300))
  assert.equal((await sample('win11')).cpu_percent, 75)
  // The same number may be another process by then.
  nowMs += 1_000
  await rm(join(proc, '50'), { recursive: true })
  materialise(proc, hypervisor(60, 'win11', 7))
  assert.equal((await sample('win11')).cpu_percent, null)
})

test('a machine that does not run is said to, and one whose name another begins with is not it', async (t) => {
  const proc = await madeTree(t, hypervisor(50, 'win11-test', 1))
  await assert.rejects(domainSamples(proc)('win11'), { code: 'DOMAIN_NOT_RUNNING' })
})
