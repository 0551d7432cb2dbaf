import assert from 'node:assert/strict'
import { mkdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { test, type TestContext } from 'node:test'
import { createKernel, type Kernel } from '@backplane/kernel'
import { confined } from '@backplane/runtimes'
import { directory } from '@backplane/sources'
import { requireProgram, temporaryDirectory } from '@backplane/testing'
import { loadConfig } from '../config/load-config.ts'
import { pluginPolicy } from './plugin-settings.ts'

const manifest = { schemaVersion: 1, id: 'acme/tool', version: '1.0.0', main: 'index.js', requires: { api: '^1.0.0' } }

test('without bubblewrap a dropped-in plugin is refused with how to get it and where to waive it', async (t) => {
  await using kernel = await kernelWith(t, '{}', false)
  const { state } = await kernel.plugins.start('acme/tool')
  assert.equal(state.name, 'failed')
  const failure = state.name === 'failed' ? state.failure : undefined
  assert.equal(failure?.code, 'POLICY_UNENFORCEABLE')
  assert.match(failure?.message ?? '', /sandbox.*bubblewrap is missing: apt-get install bubblewrap/)
  assert.match(failure?.hint ?? '', /waive sandbox for acme\/tool in plugins\.waive of .*config\.yaml/)
})

test('once that is waived it runs without a sandbox, and its record says so', async (t) => {
  await using kernel = await kernelWith(t, 'plugins: {waive: {acme/tool: [sandbox]}}', false)
  const { state, enforcement } = await kernel.plugins.start('acme/tool')
  assert.equal(state.name, 'active')
  const [sandbox] = enforcement
  assert.deepEqual([sandbox?.what, sandbox?.level], ['sandbox', 'none'])
  assert.match(sandbox?.mechanism ?? '', /waived by policy/)
})

test('where bubblewrap is, it runs in a sandbox', async (t) => {
  if (!requireProgram(t, 'bwrap', 'bubblewrap')) return
  await using kernel = await kernelWith(t, '{}')
  const { state, enforcement } = await kernel.plugins.start('acme/tool')
  assert.equal(state.name, 'active')
  assert.deepEqual([enforcement[0]?.what, enforcement[0]?.level], ['sandbox', 'exact'])
})

/** A kernel as the daemon makes one, over one dropped-in plugin. */
async function kernelWith(t: TestContext, text: string, bwrap?: false): Promise<Kernel> {
  const root = await temporaryDirectory(t)
  const at = (name: string): string => join(root, name)
  await mkdir(at('plugins/tool'), { recursive: true })
  await writeFile(at('plugins/tool/plugin.json'), JSON.stringify(manifest))
  await writeFile(at('plugins/tool/package.json'), '{"type":"module"}')
  const code = "import { definePlugin } from '@backplane/sdk'\nexport default definePlugin(() => {})\n"
  await writeFile(at('plugins/tool/index.js'), code)
  await writeFile(at('config.yaml'), text)
  const config = await loadConfig(at('config.yaml'), {}, { env: { HOME: root }, uid: 1000, cwd: root })
  const modules = { '@backplane/sdk': import.meta.resolve('@backplane/sdk') }
  return createKernel({
    host: { name: 'hypervisord', api: '1.0.0' },
    points: [],
    sources: [directory(at('plugins'), { store: at('store'), watch: false })],
    runtimes: [confined({ modules, ...(bwrap === undefined ? {} : { bwrap }) })],
    policy: pluginPolicy(config),
    dataDirectory: at('data'),
    log: { write: () => undefined },
    watch: false,
  })
}
