import assert from 'node:assert/strict'
import { mkdir, symlink, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { test } from 'node:test'
import { pathToFileURL } from 'node:url'
import { temporaryDirectory } from '@backplane/testing'
import { moduleReads, packageReads } from './package-reads.ts'

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

test('one module of a large package needs the files it imports, and other packages whole', async (t) => {
  const root = await temporaryDirectory(t)
  const write = async (name: string, text: string): Promise<void> => {
    await mkdir(join(root, name, '..'), { recursive: true })
    await writeFile(join(root, name), text)
  }
  await write('package.json', '{ "name": "host", "dependencies": { "large": "1", "used": "1" } }')
  await write('node_modules/large/package.json', '{ "name": "large" }')
  await write('node_modules/used/package.json', '{ "name": "used" }')
  await write(
    'src/adapter.ts',
    "import { a } from './deep/a.ts'\nimport 'node:fs'\nimport { given } from 'given/sub'\nexport { a }\n",
  )
  await write('src/deep/a.ts', "import { used } from 'used'\nexport { b as a } from '../b.ts'\n")
  await write('src/b.ts', "import '../src/adapter.ts'\nexport const b = 1\n")
  await write('src/secret.ts', 'export {}')
  const reads = await moduleReads(pathToFileURL(join(root, 'src/adapter.ts')).href, ['given'])
  assert.deepEqual(reads.map((path) => path.slice(root.length + 1)).toSorted(), [
    'node_modules/used',
    'package.json',
    'src/adapter.ts',
    'src/b.ts',
    'src/deep/a.ts',
  ])
})
