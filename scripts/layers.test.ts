import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { apps, layerProblems, packages } from './layers.ts'
import { readJson, readWorkspaces, root, type PackageManifest, type Workspace } from './workspaces.ts'

test('every package imports only what the import table allows', () => {
  const { devDependencies = {} } = readJson('package.json') as PackageManifest
  assert.deepEqual(layerProblems(readWorkspaces(), Object.keys(devDependencies)), [])
})

test('the import table in ARCHITECTURE.md is the one that is enforced', () => {
  const page = readFileSync(join(root, 'ARCHITECTURE.md'), 'utf8')
  const [, table = ''] = /## Packages and who may import whom\n\n```\n([^]*?)```/.exec(page) ?? []
  const told = [...table.matchAll(/(\S+) +→ (.+?)(?= {2,}|\n)/g)].map(([, name = '', list = '']) => [
    name,
    list
      .split(', ')
      .map((one) => (one.endsWith(' (ports)') ? `types:${one.slice(0, -' (ports)'.length)}` : one))
      .filter((one) => one !== '–' && one !== 'its points')
      .sort(),
  ])
  const sorted = (lists: readonly string[]): readonly string[] => [...lists].sort()
  const enforced = [
    ...Object.entries(packages).map(([name, lists]) => [name, sorted(lists)]),
    ...Object.entries(apps).map(([part, lists]) => [`apps/*/${part}`, sorted(lists)]),
    ['apps/*/host', ['any package']],
    ['app', ['app: never']],
  ]
  assert.deepEqual(Object.fromEntries(told), Object.fromEntries(enforced))
})

const sdk = workspace('packages/sdk', '@backplane/sdk', {})
const kernel = workspace('packages/kernel', '@backplane/kernel', {})
const testing = workspace('packages/testing', '@backplane/testing', {})
const server = {
  ...workspace('packages/server', '@backplane/server', {}),
  manifest: { name: '@backplane/server', exports: { '.': './src/index.ts', './client': './src/client/index.ts' } },
}
const points = workspace('apps/demo/points', '@demo/points', {})
const otherPoints = workspace('apps/other/points', '@other/points', {})
const neighbours = [sdk, kernel, testing, server, points, otherPoints]

const legal: readonly Workspace[] = [
  workspace(
    'packages/sources',
    '@backplane/sources',
    {
      'src/a.ts': `import { x } from './b/c.ts'; import fs from 'node:fs'; import { y } from '@backplane/sdk'
        import type { Z } from '@backplane/kernel'; export { type W } from '@backplane/kernel'
        type V = import('@backplane/kernel').V; await import('semver')`,
      'src/a.test.ts': `import { t } from '@backplane/testing'; import { p } from 'fast-check'; import { k } from '@backplane/kernel'`,
    },
    { dependencies: ['@backplane/sdk', '@backplane/kernel', 'semver'], devDependencies: ['@backplane/testing', '@types/semver'] },
  ),
  workspace(
    'apps/demo/plugins/one',
    '@demo/one',
    { 'src/a.ts': `import { x } from '@backplane/sdk'; import { y } from '@demo/points'` },
    { dependencies: ['@backplane/sdk', '@demo/points'] },
  ),
  workspace(
    'packages/cli',
    '@backplane/cli',
    { 'src/a.ts': `import { x } from '@backplane/server/client'` },
    { dependencies: ['@backplane/server'] },
  ),
  workspace(
    'apps/demo/cli',
    '@demo/cli',
    { 'src/a.ts': `import { x } from '@backplane/server/client'; import { y } from '@backplane/sdk'` },
    { dependencies: ['@backplane/server', '@backplane/sdk'] },
  ),
  workspace(
    'apps/demo/host',
    '@demo/host',
    { 'src/a.ts': `import { x } from '@backplane/kernel'; import { y } from '@demo/points'` },
    { dependencies: ['@backplane/kernel', '@demo/points'] },
  ),
]

for (const each of legal) {
  test(`what ${each.directory} may import is not a problem`, () => {
    assert.deepEqual(layerProblems([each, ...neighbours], ['fast-check']), [])
  })
}

const illegal: readonly (readonly [
  title: string,
  directory: string,
  code: string,
  listed: readonly string[],
  problem: RegExp,
])[] = [
  [
    'a package that may not be imported',
    'packages/rpc',
    `import { x } from '@backplane/kernel'`,
    ['@backplane/kernel'],
    /may not/,
  ],
  ['… as types', 'packages/sdk', `import type { X } from '@backplane/kernel'`, ['@backplane/kernel'], /may not/],
  ['… later', 'packages/sdk', `await import('@backplane/kernel')`, ['@backplane/kernel'], /may not/],
  ['… in a type', 'packages/sdk', `type X = typeof import('@backplane/kernel')`, ['@backplane/kernel'], /may not/],
  ['… passed on', 'packages/sdk', `export * from '@backplane/kernel'`, ['@backplane/kernel'], /may not/],
  ['… by require', 'packages/sdk', `require('@backplane/kernel')`, ['@backplane/kernel'], /may not/],
  ['… resolved', 'packages/sdk', `import.meta.resolve('@backplane/kernel')`, ['@backplane/kernel'], /may not/],
  [
    'code where only types may be',
    'packages/sources',
    `import { x } from '@backplane/kernel'`,
    ['@backplane/kernel'],
    /more than types/,
  ],
  [
    'one value among types',
    'packages/sources',
    `import { type X, y } from '@backplane/kernel'`,
    ['@backplane/kernel'],
    /more than types/,
  ],
  [
    'a file inside a package',
    'packages/server',
    `import { x } from '@backplane/sdk/src/a.ts'`,
    ['@backplane/sdk'],
    /does not export/,
  ],
  ['a file of another package', 'packages/server', `import { x } from '../../sdk/src/a.ts'`, [], /reaches out/],
  ['an absolute path', 'packages/server', `import { x } from '/etc/x.js'`, [], /absolute path/],
  ['what is not listed', 'packages/server', `import { x } from 'zod'`, [], /imports zod, which dependencies/],
  ['a test tool outside tests', 'packages/server', `import { x } from 'fast-check'`, [], /imports fast-check/],
  ['something from outside in the sdk', 'packages/sdk', `import { x } from 'zod'`, ['zod'], /nothing more from outside/],
  ['more than one path of a package', 'packages/cli', `import { x } from '@backplane/server'`, ['@backplane/server'], /may not/],
  ['the points of another app', 'apps/demo/plugins/one', `import { x } from '@other/points'`, ['@other/points'], /may not/],
  ['the kernel in a plugin', 'apps/demo/plugins/one', `import { x } from '@backplane/kernel'`, ['@backplane/kernel'], /may not/],
  ['the kernel in a command line', 'apps/demo/cli', `import { x } from '@backplane/kernel'`, ['@backplane/kernel'], /may not/],
  [
    'the whole server in a command line',
    'apps/demo/cli',
    `import { x } from '@backplane/server'`,
    ['@backplane/server'],
    /may not/,
  ],
  ['the points in a command line', 'apps/demo/cli', `import { x } from '@demo/points'`, ['@demo/points'], /may not/],
  ['nothing, and listing something', 'packages/server', ``, ['zod'], /lists zod, which no module imports/],
]

for (const [title, directory, code, dependencies, problem] of illegal) {
  test(`importing ${title} is a problem in ${directory}`, () => {
    const culprit = workspace(directory, '@backplane/culprit', { 'src/a.ts': code }, { dependencies })
    const others = neighbours.filter((each) => each.directory !== directory)
    assert.match(layerProblems([culprit, ...others], ['fast-check']).join('\n'), problem)
  })
}

test('a test may import only what some list names', () => {
  const files = { 'src/a.test.ts': `import { x } from 'zod'; import { y } from '../../sdk/src/a.ts'` }
  const problems = layerProblems([workspace('packages/server', '@backplane/server', files)], ['fast-check'])
  assert.equal(problems.length, 2)
})

function workspace(
  directory: string,
  name: string,
  files: Readonly<Record<string, string>>,
  lists: { readonly dependencies?: readonly string[]; readonly devDependencies?: readonly string[] } = {},
): Workspace {
  const versions = (names: readonly string[] = []): Record<string, string> =>
    Object.fromEntries(names.map((each) => [each, '1.0.0']))
  const manifest: PackageManifest = {
    name,
    exports: { '.': './src/index.ts' },
    dependencies: versions(lists.dependencies),
    devDependencies: versions(lists.devDependencies),
  }
  return { directory, manifest, files: new Map(Object.entries(files)) }
}
