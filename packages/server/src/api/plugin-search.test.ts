import assert from 'node:assert/strict'
import { test } from 'node:test'
import { demoKernel, echoPlugin } from '../fixtures/demo-kernel.ts'
import { startServer } from '../fixtures/start-server.ts'
import { PluginSearch } from './routes.ts'

test('search keeps to a type and to plugins with any of the tags, in any letter case, also without a text', async (t) => {
  const plugins = [
    echoPlugin('other/s3', { description: 'Stores things', tags: ['Cloud', 'backup'] }),
    echoPlugin('other/disk', { description: 'Stores things', tags: ['local'] }),
    echoPlugin('other/bare', { description: 'Stores things' }),
  ]
  const server = await startServer(t, (await demoKernel(t, ...plugins)).kernel)
  const found = async (query: string): Promise<string[]> => {
    const answer = (await server.tcp(`/api/plugins/search?${query}`)).as(PluginSearch)
    assert.equal(answer.count, answer.plugins.length)
    return answer.plugins.map(({ name }) => name)
  }
  assert.deepEqual(await found('q=stores&tags=cloud'), ['s3'])
  assert.deepEqual(await found('q=stores&tags=local,%20backup'), ['disk', 's3'])
  assert.deepEqual(await found('tags=cloud,local'), ['disk', 's3'])
  assert.deepEqual(await found('tags=nothing'), [])
  assert.deepEqual(await found('q=stores&tags='), [])
  assert.deepEqual(await found('type=DISK-echo'), ['disk'])
  assert.deepEqual(await found('q=stores&type=s3-echo&tags=local'), [])
  const { query, type, tags } = (await server.tcp('/api/plugins/search?q=x&type=y&tags=a,b')).as(PluginSearch)
  assert.deepEqual({ query, type, tags }, { query: 'x', type: 'y', tags: ['a', 'b'] })
  assert.equal((await server.tcp('/api/plugins/search')).problem.code, 'SERVER_REQUEST_INVALID')
})
