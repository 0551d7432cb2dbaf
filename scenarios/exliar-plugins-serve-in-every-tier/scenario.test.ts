import assert from 'node:assert/strict'
import { once } from 'node:events'
import { createServer, type RequestListener } from 'node:http'
import type { AddressInfo } from 'node:net'
import { describe, test, type TestContext } from 'node:test'
import * as exliar from '@exliar-vfio/points'
import { sampleGpu, sampleSystem, sampleVmConfig, sampleVmStats } from '@exliar-vfio/points/testing'
import { exliarKernel, names } from './exliar-kernel.ts'

/** A webhook on 127.0.0.1, and the bodies it was sent. */
async function webhook(t: TestContext, answer?: RequestListener): Promise<{ origin: string; bodies: Record<string, unknown>[] }> {
  const bodies: Record<string, unknown>[] = []
  const server = createServer((request, response) => {
    let text = ''
    request.setEncoding('utf8').on('data', (chunk: string) => (text += chunk))
    request.on('end', () => {
      bodies.push({ path: request.url, ...(JSON.parse(text) as object) })
      if (answer === undefined) response.writeHead(204).end()
      else answer(request, response)
    })
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  t.after(() => {
    server.closeAllConnections()
    server.close()
  })
  return { origin: `http://127.0.0.1:${(server.address() as AddressInfo).port}`, bodies }
}

for (const tier of ['trusted', 'confined'] as const) {
  describe(`Exliar's plugins as ${tier}`, { concurrency: 1 }, () => {
    test('a machine is prepared, watched, summed up and told of by four plugins that know nothing of each other', async (t) => {
      const hook = await webhook(t)
      const looked = Promise.withResolvers<void>()
      let looks = 0
      const { kernel, line } = await exliarKernel(t, {
        tier,
        settings: {
          'perf-monitor': { interval_seconds: 1 },
          notifier: { webhook_url: `${hook.origin}/\${secret:hook}`, plugin_events: ['gpu_optimization'] },
        },
        secrets: { hook: 'a-secret-path' },
        sample: () => {
          looks += 1
          if (looks === 2) looked.resolve()
          return { cpu_percent: looks === 1 ? 10 : 30, memory_mb: 2048 * looks, gpu_busy_percent: null }
        },
      })
      await kernel.emit(exliar.gpuDetected, sampleGpu())
      const { value, changes } = await kernel.emit(exliar.preVmStart, sampleVmConfig())
      assert.deepEqual(value.features, { kvm_hidden: true, hypervisor_hidden: true, hyperv_vendor_id: '123456789ab' })
      assert.deepEqual(changes, [{ plugin: 'exliar/nvidia-handler', name: 'code-43' }])

      await looked.promise
      const { items } = await kernel.provider(exliar.panel, 'performance').render(null)
      assert.equal(items[0]?.kind === 'heading' && items[0].text, 'win11')
      const { failures } = await kernel.emit(exliar.postVmShutdown, sampleVmStats())
      assert.deepEqual(failures, [])
      const summary = await line(/^VM Performance: /)
      assert.match(summary.message, /^VM Performance: Runtime: 3600s, Avg GPU Usage: unknown, Avg CPU: 20%, Max Memory: 4096MB$/)
      const perf = await kernel.provider(exliar.command, 'perf').run({ args: [] })
      assert.equal(Object(perf.data).runs[0].avg_cpu_usage, 20)

      await kernel[Symbol.asyncDispose]()
      assert.deepEqual(
        hook.bodies.map(({ path, text }) => [path, text]),
        [
          ['/a-secret-path', 'exliar/nvidia-handler says gpu_optimization'],
          ['/a-secret-path', 'win11 was shut down after 3600 s'],
        ],
      )
    })

    test('each maker’s card is answered for by its own handler', async (t) => {
      const { kernel } = await exliarKernel(t, { tier })
      const asked = (vendorId: string, deviceId: string): { gpu: exliar.GpuDevice; system: exliar.SystemInfo } => ({
        gpu: sampleGpu({ vendor_id: vendorId, device_id: deviceId, driver: 'vfio-pci' }),
        system: sampleSystem(),
      })
      const cards = { nvidia: asked('10de', '2206'), amd: asked('1002', '731f'), intel: asked('8086', '3e92') }
      const quirks: string[] = []
      for (const [name, card] of Object.entries(cards)) {
        for (const handler of Object.keys(cards)) {
          const supports = await kernel.provider(exliar.gpuHandler, handler).supportsDevice(card)
          assert.equal(supports, name === handler, `${handler} of ${name}`)
        }
        const found = await kernel.provider(exliar.gpuHandler, name).applyQuirks(card)
        quirks.push(...found.map((quirk) => quirk.name))
      }
      assert.deepEqual(quirks, ['code-43', 'vendor-reset', 'gvt-g'])
      // Asks the core for the device: the host's service, through the host.
      const { ready, notes } = await kernel.provider(exliar.gpuHandler, 'amd').verifyPassthroughReady(cards.amd)
      assert.equal(ready, false)
      assert.match(notes[0] ?? '', /would reset it by bus/)
    })

    test('a redirect of the webhook is not followed, and the log says where it was and not what its path is', async (t) => {
      const elsewhere = await webhook(t)
      const hook = await webhook(t, (_, response) => response.writeHead(307, { location: elsewhere.origin }).end())
      const { kernel, lines, line } = await exliarKernel(t, {
        tier,
        settings: { notifier: { webhook_url: `${hook.origin}/\${secret:hook}` } },
        secrets: { hook: 'a-secret-path' },
      })
      await kernel.emit(exliar.cleanup, { reason: 'cleanup' })
      await line(/^a message was not sent$/)
      assert.deepEqual([hook.bodies.length, elsewhere.bodies.length], [1, 0])
      assert.match(JSON.stringify(lines), /NOTIFIER_REDIRECTED/)
      assert.doesNotMatch(JSON.stringify(lines), /a-secret-path/)
    })
  })
}

test('a webhook that is not there holds nobody up, and what could not be sent is in the log when the plugin ends', async (t) => {
  const { kernel, lines } = await exliarKernel(t, {
    tier: 'confined',
    settings: { notifier: { webhook_url: 'http://127.0.0.1:1/' } },
  })
  const { failures } = await kernel.emit(exliar.cleanup, { reason: 'cleanup' })
  assert.deepEqual(failures, [])
  await kernel[Symbol.asyncDispose]()
  assert.match(JSON.stringify(lines), /a message was not sent/)
})

test('what is no configuration of a machine reaches no plugin', async (t) => {
  const { kernel } = await exliarKernel(t, { tier: 'trusted' })
  const junk = [null, {}, { ...sampleVmConfig(), devices: [{ bdf: '../../etc' }] }, { ...sampleVmConfig(), features: null }]
  for (const config of junk) {
    await assert.rejects(kernel.emit(exliar.preVmStart, config as exliar.VmConfig), { code: 'CALL_INPUT_INVALID' })
  }
  assert.deepEqual(
    kernel.plugins.list().filter(({ id, state }) => id !== 'exliar/core' && state.name !== 'idle'),
    [],
  )
})

const hostile: readonly (readonly [(typeof names)[number], object])[] = [
  ['notifier', { webhook_url: 'http://192.168.1.1/hook' }],
  ['notifier', { webhook_url: 'https://user:password@example.com/' }],
  ['notifier', { webhook_url: 'https://${secret:host}/' }],
  ['notifier', { webhook_url: '${secret:address}' }],
  ['notifier', { webhook_url: 'file:///etc/passwd' }],
  ['notifier', { webhook_url: 'https://example.com/a b' }],
  ['notifier', { messages_per_minute: 1_000_000 }],
  ['notifier', { events: ['everything'] }],
  ['notifier', { webhook: 'https://example.com/' }],
  ['nvidia-handler', { vendor_id: "x'/><evil a='" }],
  ['nvidia-handler', { vendor_id: 'thirteenchars' }],
  ['nvidia-handler', { guest_drivers: { win11: 'newest' } }],
  ['perf-monitor', { interval_seconds: 0 }],
  ['perf-monitor', { keep_runs: 1e9 }],
  ['intel-gvt', { share: 'yes' }],
  ['amd-reset', { anything: true }],
]

test('settings that a plugin does not take keep it from starting, and the others serve', async (t) => {
  for (const [name, config] of hostile) {
    const { kernel } = await exliarKernel(t, { tier: 'trusted', settings: { [name]: config } })
    await kernel.plugins.start(`exliar/${name}`).catch(() => undefined)
    const record = kernel.plugins.get(`exliar/${name}`)
    const code = record?.state.name === 'failed' ? record.state.failure.code : record?.state.name
    assert.equal(code, 'CONFIG_INVALID', `${name} ${JSON.stringify(config)}`)
    const other = name === 'amd-reset' ? 'intel' : 'amd'
    const gpu = sampleGpu({ vendor_id: other === 'amd' ? '1002' : '8086' })
    assert.equal(await kernel.provider(exliar.gpuHandler, other).supportsDevice({ gpu, system: sampleSystem() }), true)
    await kernel[Symbol.asyncDispose]()
  }
})

test('a plugin is granted what its manifest asks for, and no more', async (t) => {
  const { kernel } = await exliarKernel(t, {
    tier: 'confined',
    settings: { notifier: { webhook_url: 'https://hooks.example/${secret:hook}' } },
  })
  const asked = Object.fromEntries(names.map((name) => [name, kernel.plugins.get(`exliar/${name}`)?.manifest?.permissions]))
  assert.deepEqual(asked, {
    'nvidia-handler': ['pci:read', 'vm:edit'],
    'amd-reset': ['pci:read'],
    'intel-gvt': ['pci:read'],
    'perf-monitor': ['vm:read', 'vm:edit'],
    notifier: ['net:connect ${config.webhook_url}', 'pci:read', 'vm:read'],
  })
  await kernel.plugins.start('exliar/notifier')
  assert.deepEqual(kernel.plugins.get('exliar/notifier')?.grants?.net, ['hooks.example:443'])
})
