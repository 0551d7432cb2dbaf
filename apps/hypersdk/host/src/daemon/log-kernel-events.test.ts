import assert from 'node:assert/strict'
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { createKernel } from '@backplane/kernel'
import { directory } from '@backplane/sources'
import { Redactor } from '../secrets/redactor.ts'
import { hostLog } from './host-log.ts'
import { logKernelEvents } from './log-kernel-events.ts'

test('what could not be used at the start is in the log with its reason, like what goes wrong later', async (t) => {
  const root = await mkdtemp(join(tmpdir(), 'hypersdk-log-'))
  t.after(() => rm(root, { recursive: true, force: true }))
  const folder = join(root, 'plugins')
  await writePlugin(folder, 'old', '^9.0.0')
  await writePlugin(folder, 'fine', '^1.0.0')
  await using kernel = await createKernel({
    host: { name: 'hypervisord', api: '1.0.0' },
    points: [],
    sources: [directory(folder, { store: join(root, 'store') })],
    runtimes: [],
  })
  const lines: Record<string, unknown>[] = []
  const write = (line: string): void => void lines.push(JSON.parse(line) as Record<string, unknown>)
  using logging = logKernelEvents(kernel, hostLog({ level: 'info', pretty: false, redactor: new Redactor(), write }))
  assert.ok(logging)
  assert.deepEqual(
    lines.map(({ level, plugin, state, reason }) => [level, plugin, state, reason]),
    [['warn', 'demo/old', 'failed', 'demo/old needs API ^9.0.0, but hypervisord offers 1.0.0']],
  )
})

async function writePlugin(folder: string, name: string, api: string): Promise<void> {
  await mkdir(join(folder, name), { recursive: true })
  const manifest = {
    schemaVersion: 1,
    id: `demo/${name}`,
    version: '1.0.0',
    main: 'index.js',
    requires: { api },
    contributes: {},
  }
  await writeFile(join(folder, name, 'plugin.json'), JSON.stringify(manifest))
  await writeFile(join(folder, name, 'index.js'), 'throw new Error("not loaded")\n')
}
