import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { chmod, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { test } from 'node:test'
import { rejection, temporaryDirectory } from '@backplane/testing'
import { joinScope, startScope, systemdScopes } from './systemd-scope.ts'

const limits = { memoryBytes: 192 * 1024 ** 2, cpuPercent: 50, processes: 34 }

test('a scope is asked for with the process and all of its limits', () => {
  const words = [
    '--system --quiet call org.freedesktop.systemd1 /org/freedesktop/systemd1 org.freedesktop.systemd1.Manager',
    'StartTransientUnit ssa(sv)a(sa(sv)) backplane-1-2-3.scope fail 8 PIDs au 1 4711',
    'MemoryMax t 201326592 MemorySwapMax t 0 CPUQuotaPerSecUSec t 500000 CPUQuotaPeriodUSec t 100000',
    'TasksMax t 34 Delegate b true CollectMode s inactive-or-failed 0',
  ]
  assert.deepEqual(startScope('system', 'backplane-1-2-3.scope', [4711], limits), words.join(' ').split(' '))
})

test('a process is put into a scope that is there', () => {
  const call = joinScope('user', 'backplane-1-2-3.scope', 4712)
  assert.deepEqual(call.slice(0, 3), ['--user', '--quiet', 'call'])
  assert.deepEqual(call.slice(-6), ['AttachProcessesToUnit', 'ssau', 'backplane-1-2-3.scope', '', '1', '4712'])
})

test('where systemd did not start the machine, refuses, or does nothing, there are no scopes', async (t) => {
  const root = await temporaryDirectory(t)
  assert.equal(systemdScopes({ mark: join(root, 'none') }), undefined)
  assert.equal(systemdScopes({ mark: root, busctl: join(root, 'none') }), undefined)
  assert.equal(systemdScopes({ mark: root, busctl: '/bin/false' }), undefined)
  assert.equal(systemdScopes({ mark: root, busctl: '/bin/true' }), undefined)
})

test('a systemd that answers and moves nothing is seen by the process that it did not move', async (t) => {
  const root = await temporaryDirectory(t)
  const busctl = join(root, 'busctl')
  await writeFile(busctl, `#!/bin/sh\nprintf '%s\\n' "$@" > ${root}/asked\n`)
  await chmod(busctl, 0o755)
  assert.equal(systemdScopes({ mark: root, busctl, manager: 'system' }), undefined)
  const asked = await readFile(join(root, 'asked'), 'utf8').catch(() => undefined)
  // Without version 2 nothing is asked at all.
  if (asked !== undefined) assert.match(asked, /^--system\n[^]*PIDs\nau\n1\n\d+\nMemoryMax/)
})

// Only a machine that systemd started has scopes; most of what runs tests is none, and this is not for want of a package.
const scopes = systemdScopes()
if (scopes !== undefined) {
  test('systemd holds a process and what it starts to the limits of a scope, which goes with them', async () => {
    assert.deepEqual(Object.keys(scopes.mechanisms).toSorted(), ['cpu', 'memory', 'pids'])
    const group = await scopes.make(limits)
    assert.deepEqual(await group.members(), [])
    const [one, other] = [spawn('sleep', ['1000']), spawn('sh', ['-c', 'read _; sleep 1000 & wait'])]
    const ended = Promise.all([once(one, 'exit'), once(other, 'exit')])
    await group.add(one.pid ?? 0)
    await group.add(other.pid ?? 0)
    assert.deepEqual(new Set(await group.members()), new Set([one.pid, other.pid]))
    const path = /^0::(.*)$/m.exec(await readFile(`/proc/${one.pid}/cgroup`, 'utf8'))?.[1] ?? ''
    assert.match(path, /\/backplane-[\d-]+\.scope$/)
    const read = async (file: string): Promise<string> => (await readFile(join('/sys/fs/cgroup', path, file), 'utf8')).trim()
    assert.deepEqual([await read('memory.max'), await read('pids.max')], ['201326592', '34'])
    assert.equal(await read('cpu.max'), '50000 100000')
    const counts = await group.counts()
    assert.equal(counts.outOfMemory, 0)
    assert.notEqual(counts.cpuMs, undefined)
    await group.end()
    await ended
    assert.deepEqual(await group.members(), [])
    await rejection(group.add(one.pid ?? 0))
  })
}
