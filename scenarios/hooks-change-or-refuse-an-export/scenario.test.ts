import assert from 'node:assert/strict'
import { mkdir, readdir, writeFile } from 'node:fs/promises'
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
