import assert from 'node:assert/strict'
import { join } from 'node:path'
import { test } from 'node:test'
import { madeTree } from '../fixtures/materialise.ts'
import { domainSamples } from './domain-samples.ts'

test('a machine is found by its whole name, with commas too, and no other process is taken for it', async (t) => {
  const options = ['guest=a,,b,debug-threads=on', 'plain', 'guest=debug-threads=on,debug-threads=on']
  const processes = options.flatMap((name, index) => [
    [`/proc/${index + 10}/cmdline`, ['/usr/bin/qemu-system-x86_64', '-name', name, ''].join('\0')],
    [`/proc/${index + 10}/status`, `VmRSS:\t${(index + 1) * 1_000_000} kB\n`],
  ])
  const others = { '/proc/1/cmdline': 'not-a-hypervisor\0-name\0guest=other,x\0' }
  const proc = join(await madeTree(t, Object.fromEntries(processes), others), 'proc')
  const sample = domainSamples(proc)
  const memory = async (name: string): Promise<number | null> => (await sample(name)).memory_mb
  assert.deepEqual([await memory('a,b'), await memory('plain'), await memory('debug-threads=on')], [1024, 2048, 3072])
  for (const name of ['a', 'b', 'other']) await assert.rejects(sample(name), { code: 'DOMAIN_NOT_RUNNING' })
})
