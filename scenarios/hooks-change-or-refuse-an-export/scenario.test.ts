import assert from 'node:assert/strict'
import { mkdir, readdir, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { test } from 'node:test'
import { Hypervisord, makePlaces } from '../support/hypervisord.ts'
import { letGo, writeSlowProvider } from '../support/slow-provider.ts'

const manifest = {
  schemaVersion: 1,
  id: 'acme/house-rules',
  version: '1.0.0',
  main: 'index.js',
  requires: { api: '^1.0.0' },
  contributes: { 'hypersdk.before-export': { rules: {} }, 'hypersdk.after-export': { told: {} } },
}

const code = `import { definePlugin } from '@backplane/sdk'
import { afterExport, beforeExport } from '@hypersdk/points'

export default definePlugin((scope) => {
  scope.on(beforeExport, 'rules', (plan) => {
    if (plan.options.metadata.forbidden) throw Object.assign(new Error('not on a Friday'), { code: 'FRIDAY' })
    const output_path = plan.options.metadata.to ?? plan.options.output_path
    return { ...plan, options: { ...plan.options, output_path, compress: true } }
  })
  scope.on(afterExport, 'told', (outcome) => {
    scope.log.info('told of ' + outcome.job_id + ' ' + outcome.status)
  })
})
`

test('a hook changes where and how an export goes, refuses one with a reason, and is told of the end', async (t) => {
  const places = await makePlaces(t, 'plugins: { directories: [./plugins] }\n')
  await writeSlowProvider(join(places.plugins, 'slow'), { version: '1.0.0' })
  await mkdir(join(places.plugins, 'rules'))
  await writeFile(join(places.plugins, 'rules/plugin.json'), JSON.stringify(manifest))
  await writeFile(join(places.plugins, 'rules/package.json'), '{"type":"module"}')
  await writeFile(join(places.plugins, 'rules/index.js'), code)
  await letGo(places.control)
  const daemon = await Hypervisord.start(places)
  const submit = (id: string, metadata: unknown): Promise<string> =>
    daemon.submit({ id, provider: 'slow', vm_id: 'vm/1', output_dir: id, metadata })

  const changed = await daemon.ended(await submit('changed', { to: join(places.exports, 'elsewhere') }))
  assert.equal(changed.status, 'completed', changed.error)
  assert.equal(changed.definition.output_dir, join(places.exports, 'elsewhere'))
  assert.ok(
    (await readdir(join(places.exports, 'elsewhere'))).some((name) => name.endsWith('.gz')),
    'compressed',
  )
  assert.ok(changed.result.compressed_size < changed.result.total_size)

  const outside = await daemon.ended(await submit('outside', { to: '/etc' }))
  assert.deepEqual([outside.status, outside.failure.code], ['failed', 'JOB_TARGET_FORBIDDEN'])

  const refused = await daemon.ended(await submit('refused', { forbidden: true }))
  assert.equal(refused.status, 'failed')
  assert.match(refused.error, /not on a Friday/)
  assert.equal(refused.failure.plugin, 'acme/house-rules')
  assert.deepEqual(await readdir(join(places.exports, 'refused')).catch(() => []), [])

  await daemon.until(async () =>
    ['changed completed', 'refused failed'].every((text) => daemon.output.includes(`told of ${text}`)),
  )
})

const waiting = `import { appendFileSync, existsSync } from 'node:fs'
import { definePlugin } from '@backplane/sdk'
import { afterExport } from '@hypersdk/points'

export default definePlugin((scope) => {
  scope.on(afterExport, 'told', async (outcome) => {
    appendFileSync('CONTROL/told', outcome.status + ' ' + outcome.result.checksum + '\\n')
    while (!existsSync('CONTROL/hook-may-end')) await new Promise((resolve) => setTimeout(resolve, 10))
  })
})
`

test('a hook that was being told of an end when the daemon was killed is told again, once', async (t) => {
  const places = await makePlaces(t, 'plugins: { directories: [./plugins] }\n')
  await writeSlowProvider(join(places.plugins, 'slow'), { version: '1.0.0' })
  await mkdir(join(places.plugins, 'rules'))
  const permissions = [`fs:read ${places.control}`, `fs:write ${places.control}`]
  const contributes = { 'hypersdk.after-export': { told: {} } }
  await writeFile(join(places.plugins, 'rules/plugin.json'), JSON.stringify({ ...manifest, contributes, permissions }))
  await writeFile(join(places.plugins, 'rules/package.json'), '{"type":"module"}')
  await writeFile(join(places.plugins, 'rules/index.js'), waiting.replaceAll('CONTROL', places.control))
  await letGo(places.control)
  const told = async (): Promise<string[]> =>
    (await readFile(join(places.control, 'told'), 'utf8').catch(() => '')).split('\n').slice(0, -1)

  const first = await Hypervisord.start(places)
  const job = await first.ended(await first.submit({ provider: 'slow', vm_id: 'vm/1', output_dir: 'x' }))
  assert.equal(job.status, 'completed', job.error)
  await first.until(async () => (await told()).length === 1)
  await first.kill()

  const second = await Hypervisord.start(places)
  await second.until(async () => (await told()).length === 2)
  await writeFile(join(places.control, 'hook-may-end'), '')
  assert.equal(await second.stop(), 0)
  assert.deepEqual(
    await told(),
    [1, 2].map(() => `completed ${job.result.checksum}`),
  )

  const third = await Hypervisord.start(places)
  assert.equal(await third.stop(), 0)
  assert.equal((await told()).length, 2, 'what is told is not owed any more')
})
