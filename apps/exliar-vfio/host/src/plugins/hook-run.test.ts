import assert from 'node:assert/strict'
import { test, type TestContext } from 'node:test'
import { definePlugin, type Setup } from '@backplane/sdk'
import { testKernel } from '@backplane/testing'
import { allPoints, permissions, preInitramfsUpdate, preVmStart, systemDetected, withKvmHidden } from '@exliar-vfio/points'
import type { InitramfsConfig, VmConfig } from '@exliar-vfio/points'
import { Hooks, type HookRun } from './hook-run.ts'

const image: InitramfsConfig = {
  system: 'dracut',
  files: ['/etc/dracut.conf.d/vfio.conf'],
  modules: ['vfio'],
  command: ['dracut'],
}
const machine: VmConfig = {
  name: 'win',
  uuid: '7e0c6a52-6a1c-4d3c-a3d7-6d9a4dbb2f1c',
  hypervisor: 'kvm',
  memory_mib: 8192,
  vcpus: 8,
  machine: 'q35',
  devices: [],
  features: { kvm_hidden: false, hypervisor_hidden: false, hyperv_vendor_id: null },
  extra_arguments: [],
}

async function hooksWith(
  t: TestContext,
  plugins: Readonly<Record<string, Setup<unknown>>>,
): Promise<{ readonly hooks: Hooks; readonly runs: readonly HookRun[] }> {
  const points = [systemDetected, preInitramfsUpdate, preVmStart]
  const made = await testKernel({
    points: allPoints,
    permissions,
    plugins: Object.entries(plugins).map(([id, setup]) => ({
      manifest: {
        id,
        permissions: ['vm:edit'],
        contributes: Object.fromEntries(points.map((point) => [point.id, { it: {} }])),
      },
      module: definePlugin(async (scope) => {
        const filled = new Set<string>()
        const on: typeof scope.on = (point, name, handler) => {
          filled.add(point.id)
          scope.on(point, name, handler)
        }
        await setup({ ...scope, on })
        for (const point of points) if (!filled.has(point.id)) scope.on(point, 'it', () => undefined)
      }),
    })),
  })
  t.after(() => made[Symbol.asyncDispose]())
  const runs: HookRun[] = []
  return { hooks: new Hooks({ kernel: made.kernel, record: (run) => void runs.push(run) }), runs }
}

test('a plugin that refuses a step is named with its reason, and the run is kept', async (t) => {
  const { hooks, runs } = await hooksWith(t, {
    'a/quiet': () => undefined,
    'b/strict': (scope) => scope.on(preInitramfsUpdate, 'it', () => ({ veto: 'the disk is full' })),
  })
  await assert.rejects(hooks.run(preInitramfsUpdate, image, null), {
    code: 'HOOK_REFUSED',
    plugin: 'b/strict',
    message: /b\/strict refused the step pre-initramfs-update: the disk is full/,
  })
  assert.deepEqual(
    runs.map(({ hook, refused, steps }) => [hook, refused, steps.map(({ plugin, outcome }) => `${plugin} ${outcome}`)]),
    [['pre-initramfs-update', { plugin: 'b/strict', reason: 'the disk is full' }, ['a/quiet unchanged', 'b/strict vetoed']]],
  )
})

test('a plugin that fails where it is asked stops the step; one that fails where it is told is passed over', async (t) => {
  const broken: Setup<unknown> = (scope) => {
    scope.on(preInitramfsUpdate, 'it', () => {
      throw new Error('no idea')
    })
    scope.on(preVmStart, 'it', () => {
      throw new Error('not this machine')
    })
  }
  const { hooks, runs } = await hooksWith(t, { 'a/broken': broken, 'b/quiet': () => undefined })
  await assert.rejects(hooks.run(preInitramfsUpdate, image, null), { code: 'HOOK_FAILED', plugin: 'a/broken' })
  await assert.rejects(hooks.run(preVmStart, machine, 'win'), { code: 'HOOK_FAILED', plugin: 'a/broken' })
  assert.deepEqual(
    runs.map(({ refused }) => refused?.plugin),
    ['a/broken', 'a/broken'],
  )
})

test('what each plugin made of a machine’s configuration is kept step by step', async (t) => {
  const { hooks, runs } = await hooksWith(t, {
    'a/hides': (scope) => scope.on(preVmStart, 'it', (config) => withKvmHidden(config)),
    'b/quiet': () => undefined,
    'c/adds': (scope) => scope.on(preVmStart, 'it', (config) => ({ ...config, extra_arguments: ['-cpu', 'host'] })),
  })
  const { value } = await hooks.run(preVmStart, machine, 'win')
  assert.equal(value.features.kvm_hidden, true)
  assert.deepEqual(value.extra_arguments, ['-cpu', 'host'])
  const [run] = runs
  assert.deepEqual(
    run?.steps.map(({ plugin, outcome }) => `${plugin} ${outcome}`),
    ['a/hides changed', 'b/quiet unchanged', 'c/adds changed'],
  )
  assert.equal(run?.subject, 'win')
})

test('a run that is given up by its caller is no fault of a plugin', async (t) => {
  const leaving = new AbortController()
  const { hooks, runs } = await hooksWith(t, {
    'a/slow': (scope) =>
      scope.on(preInitramfsUpdate, 'it', () => {
        leaving.abort(new Error('enough'))
        throw new Error('too late')
      }),
  })
  await assert.rejects(hooks.run(preInitramfsUpdate, image, null, leaving.signal), /enough/)
  assert.deepEqual(runs, [])
})

test('a hook that runs twice at the same time runs until both have ended', async (t) => {
  const waiting: (() => void)[] = []
  const { hooks } = await hooksWith(t, {
    'a/slow': (scope) => scope.on(preInitramfsUpdate, 'it', () => new Promise<void>((resolve) => void waiting.push(resolve))),
  })
  const runs = [hooks.run(preInitramfsUpdate, image, null), hooks.run(preInitramfsUpdate, image, null)]
  while (waiting.length < 2) await new Promise(setImmediate)
  waiting[0]?.()
  await Promise.race(runs)
  assert.deepEqual(hooks.running, [preInitramfsUpdate])
  waiting[1]?.()
  await Promise.all(runs)
  assert.deepEqual(hooks.running, [])
})
