import assert from 'node:assert/strict'
import { mkdir, symlink, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { test } from 'node:test'
import { pathToFileURL } from 'node:url'
import { temporaryDirectory } from '@backplane/testing'
import { packageReads } from './package-reads.ts'

test('a module needs its package and what that depends on, by both names of a link, and nothing else', async (t) => {
  const root = await temporaryDirectory(t)
  const add = async (directory: string, json: object): Promise<void> => {
    await mkdir(join(root, directory), { recursive: true })
    await writeFile(join(root, directory, 'package.json'), JSON.stringify(json))
  }
  await add('points', { name: 'points', dependencies: { linked: '1', near: '1', given: '1', 'not-installed': '1' } })
  await add('points/src', { type: 'module' })
  await add('points/node_modules/near', { name: 'near', peerDependencies: { far: '1' } })
  await add('node_modules/far', { name: 'far' })
  await add('node_modules/unrelated', { name: 'unrelated' })
  await add('node_modules/given', { name: 'given' })
  await add('store/linked', { name: 'linked', optionalDependencies: { points: '1', deeper: '1' } })
  await add('store/node_modules/deeper', { name: 'deeper' })
  await symlink(join(root, 'store/linked'), join(root, 'node_modules/linked'))
  const reads = await packageReads([pathToFileURL(join(root, 'points/src/index.js')).href], ['given'])
  assert.deepEqual(reads.map((path) => path.slice(root.length + 1)).toSorted(), [
    'node_modules/far',
    'node_modules/linked',
    'points',
    'points/node_modules/near',
    'store/linked',
    'store/node_modules/deeper',
  ])
})
