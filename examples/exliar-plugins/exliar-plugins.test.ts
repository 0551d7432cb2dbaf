import assert from 'node:assert/strict'
import { readFile } from 'node:fs/promises'
import { test } from 'node:test'
import { cleanup, command, gpuDetected, panel, preVfioBind, preVmStart } from '@exliar-vfio/points'
import { sampleGpu, samplePciDevice, sampleVmConfig } from '@exliar-vfio/points/testing'
import { loadConfig } from '../../apps/exliar-vfio/host/src/config/load-config.ts'
import { exliarKernel } from '../../scenarios/exliar-plugins-serve-in-every-tier/exliar-kernel.ts'

const folder = `${import.meta.dirname}/gpu-journal`

for (const tier of ['trusted', 'confined'] as const) {
  test(`the journal remembers cards, keeps the screen and hears of other plugins as ${tier}`, async (t) => {
    const { kernel, line } = await exliarKernel(t, { tier, folders: [folder] })
    await kernel.emit(gpuDetected, sampleGpu())
    assert.deepEqual(await kernel.provider(command, 'gpu-journal').run({ args: [] }), {
      text: '0000:01:00.0  GeForce RTX 3080',
      data: ['0000:01:00.0  GeForce RTX 3080'],
    })
    const { items } = await kernel.provider(panel, 'gpu-journal').render(null)
    assert.deepEqual(items, [{ kind: 'text', text: '0000:01:00.0  GeForce RTX 3080', tone: 'plain' }])

    const { veto } = await kernel.emit(preVfioBind, samplePciDevice({ boot_vga: true }))
    assert.deepEqual(veto, {
      plugin: 'example/gpu-journal',
      name: 'keep-the-screen',
      reason: 'the firmware shows its picture on it',
    })
    assert.equal((await kernel.emit(preVfioBind, samplePciDevice())).veto, undefined)

    await kernel.emit(preVmStart, sampleVmConfig())
    await line(/^exliar\/nvidia-handler changed 0000:01:00\.0$/)
    assert.deepEqual((await kernel.emit(cleanup, { reason: 'cleanup' })).failures, [])
  })
}

test('settings change what it does', async (t) => {
  const settings = { 'example/gpu-journal': { keep_the_screen: false } }
  const { kernel } = await exliarKernel(t, { tier: 'trusted', folders: [folder], settings })
  assert.equal((await kernel.emit(preVfioBind, samplePciDevice({ boot_vga: true }))).veto, undefined)
})

test('the guide shows the plugins as they are', async () => {
  const guide = await readFile(`${import.meta.dirname}/../../docs/guide/exliar-plugins.md`, 'utf8')
  for (const file of [
    'gpu-journal/plugin.json',
    'gpu-journal/index.js',
    'example-plugin/plugin.toml',
    'example-plugin/index.js',
  ]) {
    const text = await readFile(`${import.meta.dirname}/${file}`, 'utf8')
    assert.ok(guide.includes(`\n${text}\`\`\`\n`), file)
  }
})

test('the settings to try them with are valid, and mean the plugins of this folder', async () => {
  const { plugins } = await loadConfig(`${import.meta.dirname}/try.toml`, {})
  assert.deepEqual([plugins.directories, plugins.development], [[import.meta.dirname], true])
})
