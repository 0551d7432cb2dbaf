import assert from 'node:assert/strict'
import { test } from 'node:test'
import { testKernel } from '@backplane/testing'
import { fakeInstalls } from '../fixtures/fake-installs.ts'
import { startServer } from '../fixtures/start-server.ts'

test("a permission of the host's own is told in the words of the host wherever permissions are", async (t) => {
  const kind = { sentence: 'change virtual machines', risk: 'medium', reason: 'one may not start' } as const
  const plugin = { manifest: { id: 'demo/it', permissions: ['vm:edit'] }, setup: () => undefined }
  const { kernel } = await testKernel({ permissions: { 'vm:edit': kind }, plugins: [plugin] })
  t.after(() => kernel[Symbol.asyncDispose]())
  await kernel.plugins.start('demo/it')
  const installs = fakeInstalls({ plan: async () => ({ etag: 'a', steps: [] }) })
  installs.granted.set('demo/it', ['vm:edit'])
  const { unix } = await startServer(t, kernel, { api: { installs } })
  const expected = { permission: 'vm:edit', ...kind }
  const permissions = (await unix('/api/plugins/demo/it/permissions')).json as { readonly asked: unknown }
  assert.deepEqual(permissions.asked, [expected])
  const { grants } = (await unix('/api/grants')).json as { readonly grants: readonly { readonly permissions: unknown }[] }
  assert.deepEqual(grants[0]?.permissions, [expected])
  const detail = (await unix('/api/plugins/demo/it')).json as Record<'grants', { readonly host: unknown }>
  assert.deepEqual(detail.grants.host, ['vm:edit'])
})
