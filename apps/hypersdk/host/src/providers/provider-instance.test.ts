import assert from 'node:assert/strict'
import { test } from 'node:test'
import { PlatformError } from '@backplane/sdk'
import { testKernel } from '@backplane/testing'
import { provider } from '@hypersdk/points'
import { ProviderInstance } from './provider-instance.ts'

test('a use whose caller has gone already opens nothing', async () => {
  await using bench = await testKernel({ points: [provider], plugins: [] })
  let opened = 0
  await using instance = new ProviderInstance({
    kernel: bench.kernel,
    name: 'lab',
    type: 'slow',
    options: () => {
      opened += 1
      return Promise.reject(new PlatformError('NO', 'an opening that fails with nobody there would end the process'))
    },
    openTimeoutMs: 1000,
    onCloseError: () => undefined,
  })
  const gone = AbortSignal.abort()
  await assert.rejects(instance.use(undefined, gone), { name: 'AbortError' })
  assert.equal(opened, 0)
  await assert.rejects(instance.use(undefined, new AbortController().signal), { code: 'POINT_UNKNOWN_PROVIDER' })
})
