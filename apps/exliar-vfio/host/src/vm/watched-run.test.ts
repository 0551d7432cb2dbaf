import assert from 'node:assert/strict'
import { readFileSync, watch, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { test, type TestContext } from 'node:test'
import { fileURLToPath } from 'node:url'
import { temporaryDirectory } from '@backplane/testing'
import type { VmStats } from '@exliar-vfio/points'
import { untilGone } from './fixtures/until-gone.ts'
import { runVmHook } from './vm-hook.ts'
import { readWatchState, watchPlaces, type WatchState } from './watch-state.ts'

const uuid = '8f1d1c9e-8d7a-4d3a-9a55-0f3a2f8e5c11'
const xml = `<domain type='kvm'><name>win</name><uuid>${uuid}</uuid></domain>`

/** The hook called as libvirt does, with watches that are processes of their own. */
interface HookedMachine {
  /** Answers what is remembered afterwards. */
  readonly call: (operation: string, extra?: string) => Promise<WatchState | undefined>
  /** What the watches told of ends, once there are as many. */
  readonly ends: (count: number) => Promise<VmStats[]>
}

async function hookedMachine(t: TestContext): Promise<HookedMachine> {
  const directory = await temporaryDirectory(t)
  writeFileSync(join(directory, 'behaviour.json'), '{}')
  const program = fileURLToPath(new URL('fixtures/hook-program.ts', import.meta.url))
  const arguments_ = ['--conditions=@backplane/source', program, 'vm-watch', directory, 'test:///default']
  const run = join(directory, 'run')
  const preStart = (config: WatchState['config']) => Promise.resolve({ config, changes: [] })
  const options = { directory: run, facts: () => undefined, preStart, watchCommand: [process.execPath, ...arguments_] }
  const log = join(directory, 'log')
  const told = (): VmStats[] => {
    const lines = readFileSync(log, 'utf8').split('\n')
    return lines.filter((line) => line.includes('"end"')).map((line) => (JSON.parse(line) as { fields: VmStats }).fields)
  }
  return {
    call: async (operation, extra = '-') => {
      const answer = await runVmHook({ args: ['win', ...operation.split(' '), extra], xml }, options)
      assert.deepEqual(answer, { exitCode: 0, messages: [] })
      return readWatchState(watchPlaces(run, uuid))
    },
    ends: async (count) => {
      const enough = Promise.withResolvers<void>()
      const watcher = watch(log, () => told().length >= count && enough.resolve())
      if (told().length < count) await enough.promise
      watcher.close()
      return told()
    },
  }
}

test('a machine that libvirt finds again is watched again, and its run is told as one', async (t) => {
  const { call, ends } = await hookedMachine(t)
  await call('prepare begin')
  const first = await call('started begin')
  assert.ok(first?.process)
  assert.deepEqual((await call('reconnect begin'))?.process, first.process, 'one that lives is left alone')
  process.kill(first.process.pid, 'SIGKILL')
  await untilGone(first.process.pid)
  const second = await call('reconnect begin')
  assert.ok(second?.process)
  assert.equal(second.started_at, first.started_at)
  await call('stopped end')
  await call('release end', 'shutdown')
  const [end] = await ends(1)
  assert.deepEqual([end?.started_at, end?.ended_by], [first.started_at, 'shutdown'])
  await call('prepare begin')
  await call('started begin')
  await call('prepare begin')
  assert.equal((await ends(2))[1]?.ended_by, 'unknown', 'an end that nobody told of is told when the next run begins')
  await call('release end', 'failed')
  assert.deepEqual([(await ends(3))[2]?.ended_by, (await ends(3))[2]?.runtime_seconds], ['failed', 0])
})

test('a machine whose watch was killed is still told of, with what is known', async (t) => {
  const { call, ends } = await hookedMachine(t)
  await call('prepare begin')
  const state = await call('started begin')
  assert.ok(state?.process)
  process.kill(state.process.pid, 'SIGKILL')
  await untilGone(state.process.pid)
  await call('stopped end')
  assert.equal(await call('release end', 'destroyed'), undefined)
  const [end] = await ends(1)
  assert.deepEqual([end?.started_at, end?.ended_by], [state.started_at, 'destroyed'])
})
