import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { rmSync } from 'node:fs'
import { chown, link, mkdir, readdir, readFile, realpath, rename, stat, symlink, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, test, type TestContext } from 'node:test'
import { setTimeout as delay } from 'node:timers/promises'
import { rejection, requireProgram, temporaryDirectory, testLimits } from '@backplane/testing'
import { BareSandbox } from '../fixtures/bare-sandbox.ts'
import { cgroupV2 } from './cgroup-v2.ts'
import { abandonedGroups, endGroup, startTimeOf } from './control-files.ts'
import { directoryUse } from './directory-use.ts'
import { resourceGroups } from './machine.ts'
import { descendantsOf, useOf } from './process-tree.ts'
import { groupLimits, violationsBetween, type GroupCounts } from './resource-group.ts'
import { takeServiceUser } from './service-user.ts'

describe('with control groups', { concurrency: 2 }, () => {
  const rule = (title: string, check: (sandbox: BareSandbox) => Promise<void>): void => {
    test(title, { timeout: 60_000 }, async (t) => {
      if (!requireProgram(t, 'bwrap', 'bubblewrap') || !mayMakeGroups(t)) return
      await check(await BareSandbox.make(t))
    })
  }

  for (const [attack, given] of [
    ['eatBuffers', { megabytes: 4_096 }],
    ['eatWasm', { megabytes: 2_048 }],
  ] as const) {
    rule(`a plugin that takes memory outside its heap (${attack}) is ended, and that is said to be why`, async (sandbox) => {
      const { cause } = await sandbox.run(attack, given, { limits: { memoryMiB: 160 } })
      assert.equal(cause.kind, 'memory', JSON.stringify(cause))
    })
  }

  rule('threads beyond the limit are refused and counted', async (sandbox) => {
    const started = await sandbox.start('threads', { count: 200 }, { limits: { processes: 30, memoryMiB: 1_024 } })
    const { outcome } = await started.ended
    assert.ok(typeof outcome.value !== 'number' || outcome.value < 30, JSON.stringify(outcome))
  })

  rule('a plugin gets its share of a processor and no more', async (sandbox) => {
    const { outcome } = await sandbox.run('burn', { forMs: 1_000 }, { limits: { cpuPercent: 20 } })
    assert.ok(Number(outcome.value) < 600, `${JSON.stringify(outcome)} ms of processor time in a second`)
  })

  rule('a process it left behind is gone when it is', async (sandbox) => {
    const started = await sandbox.start('detach', { seconds: 1_000, stays: true }, { trust: 'first-party' })
    const members = await until(async () => {
      const found = await started.sandbox.members(started.pid)
      return found.length >= 4 ? found : undefined
    })
    started.kill()
    await started.ended
    // It runs no code any more, but the kernel may still be taking it down.
    for (const pid of members) await until(async () => ((await runs(pid)) ? undefined : true))
  })

  rule('its use is counted from outside, and its group is gone when it is', async (sandbox) => {
    const started = await sandbox.start('never')
    const use = await until(async () => {
      const found = await useOf(await started.sandbox.members(started.pid))
      return found.openFiles !== undefined && found.openFiles > 10 && found.memoryBytes > 20 * 1024 ** 2 ? found : undefined
    })
    assert.ok(use.processes >= 3)
    const counts = await started.sandbox.counts()
    assert.ok(counts !== undefined && (counts.cpuMs ?? 0) > 0)
    started.kill()
    await started.ended
    assert.deepEqual(await started.sandbox.members(started.pid), [])
  })
})

test('groups whose maker is gone are named as abandoned; those of this process are not', async (t) => {
  const parent = await temporaryDirectory(t)
  const ended = spawn('true')
  await once(ended, 'exit')
  const dead = `backplane-${ended.pid ?? 0}-1-1`
  const recycled = `backplane-${process.pid}-1-1`
  const own = `backplane-${process.pid}-${startTimeOf(process.pid) ?? 0}-1`
  for (const name of [dead, recycled, own, 'system.slice']) await mkdir(join(parent, name))
  assert.deepEqual(abandonedGroups(parent).toSorted(), [dead, recycled].toSorted())
})

test('ending a group kills its members, and never the host', async (t) => {
  const parent = await temporaryDirectory(t)
  const member = spawn('sleep', ['1000'])
  const exit = once(member, 'exit')
  // In a directory of files a member stays listed, so the end is not waited for to the last.
  await writeFile(join(parent, 'cgroup.procs'), `${process.pid}\n${member.pid ?? 0}\n`)
  void endGroup([parent])
  assert.deepEqual(await exit, [null, 'SIGKILL'])
})

test('version 2 is used where its controllers are passed on, and not where they are not', async (t) => {
  const parent = await temporaryDirectory(t)
  assert.equal(cgroupV2(join(parent, 'absent')), undefined)
  await writeFile(join(parent, 'cgroup.controllers'), 'cpu hugetlb memory pids\n')
  await writeFile(join(parent, 'cgroup.subtree_control'), 'cpu memory\n')
  await writeFile(join(parent, 'cgroup.type'), 'domain\n')
  await writeFile(join(parent, 'cgroup.procs'), '1\n2\n')
  const groups = cgroupV2(parent)
  assert.deepEqual(groups?.mechanisms, { memory: 'cgroup v2 memory.max', cpu: 'cgroup v2 cpu.max' })
  assert.equal(
    (await rejection(groups.make(groupLimits(testLimits))))['code'],
    'ENOENT',
    'a plain directory has no control files',
  )
})

test('what a plugin was refused becomes a violation with its numbers', () => {
  const none: GroupCounts = { cpuMs: 0, outOfMemory: 0, processesRefused: 0, cpuPeriods: 0, cpuThrottled: 0 }
  assert.deepEqual(violationsBetween(none, none, testLimits), [])
  assert.deepEqual(violationsBetween(none, { ...none, cpuPeriods: 10, cpuThrottled: 4 }, testLimits), [])
  const [threads, processor] = violationsBetween(
    none,
    { ...none, processesRefused: 3, cpuPeriods: 10, cpuThrottled: 9 },
    { ...testLimits, processes: 8, cpuPercent: 50 },
  )
  assert.deepEqual(threads, {
    kind: 'limit',
    limit: 'processes',
    detail: 'wanted more than 8 processes and threads, and was refused 3 times',
  })
  assert.deepEqual(processor, { kind: 'limit', limit: 'cpu', detail: 'was held to 50 % of a processor in 9 of 10 periods' })
})

test('a group leaves Node enough to start, however little its limits say', () => {
  const least = groupLimits({ ...testLimits, memoryMiB: 1, processes: 1 })
  assert.deepEqual(least, { memoryBytes: 128 * 1024 ** 2, cpuPercent: testLimits.cpuPercent, processes: 26 })
})

test('what a directory holds is counted, up to the limit', async (t) => {
  const directory = await temporaryDirectory(t)
  await mkdir(join(directory, 'sub'))
  await writeFile(join(directory, 'sub/large'), Buffer.alloc(100_000, 1))
  const all = await directoryUse(directory, { bytes: 1e9, files: 1e9 })
  assert.equal(all.files, 2)
  assert.ok(all.bytes >= 100_000)
  for (let at = 0; at < 20; at++) await writeFile(join(directory, `${at}`), '')
  assert.equal((await directoryUse(directory, { bytes: 1e9, files: 10 })).files, 11)
})

test('what a plugin keeps its host from counting is said', async (t) => {
  const root = await temporaryDirectory(t)
  const most = { bytes: 1e9, files: 1e9 }
  const half = Array.from({ length: 15 }, () => 'd'.repeat(200)).join('/')
  for (const name of ['one', 'two']) await mkdir(join(root, 'data', name, half), { recursive: true })
  assert.equal((await directoryUse(join(root, 'data'), most)).uncounted, undefined)
  // Every directory can be reached by the plugin, step by step, and by nobody else by a path.
  await rename(join(root, 'data/one'), join(root, 'data/two', half, 'moved'))
  const { uncounted } = await directoryUse(join(root, 'data'), most)
  // Nothing else comes that deep.
  rmSync(join(root, 'data'), { recursive: true })
  assert.match(uncounted ?? '', /^two\/d/)
})

test('the use of a process and of what it started is told from outside', async (t) => {
  const child = spawn('sh', ['-c', 'sleep 1000; true'])
  t.after(() => child.kill('SIGKILL'))
  const pids = await until(async () => {
    const found = await descendantsOf(child.pid ?? 0)
    return found.length === 2 ? found : undefined
  })
  const use = await useOf(pids)
  assert.equal(use.processes, 2)
  assert.ok(use.memoryBytes > 0)
  assert.equal((await useOf([2 ** 22 + 1])).processes, 0)
  process.kill(pids[1] ?? 0, 'SIGKILL')
})

test('a plugin is given its own files, and none that has another name elsewhere', async (t) => {
  if (process.getuid?.() !== 0) return t.skip('only root can give users')
  const root = await temporaryDirectory(t)
  const [data, exchange] = [join(root, 'data'), join(root, 'exchange')]
  for (const directory of [data, exchange]) await mkdir(directory)
  await writeFile(join(root, 'outside'), '')
  await link(join(root, 'outside'), join(data, 'second-name'))
  await symlink(join(root, 'outside'), join(data, 'link'))
  await mkdir(join(data, 'sub'))
  await writeFile(join(data, 'sub/own'), '')
  using user = await takeServiceUser({ first: 60_706, count: 478 }, { data, exchange })
  for (const own of ['', 'sub', 'sub/own']) assert.equal((await stat(join(data, own))).uid, user.uid, own)
  assert.equal((await stat(join(root, 'outside'))).uid, 0)
})

test('what a plugin puts in the way while it is given its files is not followed', async (t) => {
  if (process.getuid?.() !== 0) return t.skip('only root can give files away')
  const root = await realpath(await temporaryDirectory(t))
  await mkdir(join(root, 'outside/sub'), { recursive: true })
  await writeFile(join(root, 'outside/sub/file'), '')
  const [data, exchange] = [join(root, 'data'), join(root, 'exchange')]
  await mkdir(exchange)
  const names = Array.from({ length: 50 }, (_, index) => `${index}`)
  for (const name of names) await mkdir(join(data, name, 'sub'), { recursive: true })
  // Another process changes directories into links and back as fast as it can.
  const flip = `const fs = require('node:fs'); process.chdir(${JSON.stringify(data)}); console.log('flips')
for (;;) for (const name of fs.readdirSync('.')) { try { fs.renameSync(name, '../aside'); fs.symlinkSync('../outside', name); fs.unlinkSync(name); fs.renameSync('../aside', name) } catch {} }`
  const flips = spawn(process.execPath, ['-e', flip], { stdio: ['ignore', 'pipe', 'inherit'] })
  try {
    await once(flips.stdout, 'data')
    for (let round = 0; round < 20; round++) {
      await chown(data, 0, 0)
      // That something went away or was no directory when it was opened is no harm.
      const user = await takeServiceUser({ first: 60_706, count: 478 }, { data, exchange }).catch(() => undefined)
      user?.[Symbol.dispose]()
      for (const path of ['outside', 'outside/sub', 'outside/sub/file']) {
        assert.equal((await stat(join(root, path))).uid, 0, path)
      }
    }
  } finally {
    flips.kill('SIGKILL')
    await once(flips, 'exit')
  }
})

test('a plugin keeps its user, and two that run at once have two', async (t) => {
  if (process.getuid?.() !== 0) return t.skip('only root can give users')
  const root = await temporaryDirectory(t)
  const range = { first: 60_706, count: 2 }
  const place = async (name: string): Promise<{ data: string; exchange: string }> => {
    const directories = { data: join(root, name), exchange: join(root, `${name}-exchange`) }
    await mkdir(directories.data)
    await mkdir(directories.exchange)
    await writeFile(join(directories.data, 'file'), '')
    return directories
  }
  const [one, other, third] = [await place('one'), await place('other'), await place('third')]
  const first = await takeServiceUser(range, one)
  const again = await takeServiceUser(range, one)
  const second = await takeServiceUser(range, other)
  assert.equal(again.uid, first.uid)
  assert.notEqual(second.uid, first.uid)
  assert.equal((await rejection(takeServiceUser(range, third))).name, 'RangeError')
  for (const user of [first, again, second]) user[Symbol.dispose]()
  const later = await takeServiceUser(range, third)
  assert.ok([first.uid, second.uid].includes(later.uid))
  later[Symbol.dispose]()
  const back = await takeServiceUser(range, one)
  assert.equal(back.uid, first.uid, 'the owner of the data says which')
  assert.deepEqual(await readdir(one.data), ['file'])
  back[Symbol.dispose]()
})

function mayMakeGroups(t: TestContext): boolean {
  if (resourceGroups() !== undefined) return true
  t.skip('this user may make no control groups')
  return false
}

/** One that has ended may wait for its parent to notice. */
async function runs(pid: number): Promise<boolean> {
  const text = await readFile(`/proc/${pid}/stat`, 'utf8').catch(() => undefined)
  return text !== undefined && !/\) [ZX] /.test(text)
}

/** There is no event for what another process does. */
async function until<T>(look: () => Promise<T | undefined>): Promise<T> {
  for (const givenUpAtMs = Date.now() + 30_000; Date.now() < givenUpAtMs;) {
    const found = await look()
    if (found !== undefined) return found
    await delay(10)
  }
  return assert.fail('what was waited for did not come')
}
