import assert from 'node:assert/strict'
import { existsSync } from 'node:fs'
import { mkdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { test, type TestContext } from 'node:test'
import { fileURLToPath } from 'node:url'
import type { DialectPackage } from '@backplane/sources'
import { temporaryDirectory } from '@backplane/testing'
import { seedDialect } from './seed-dialect.ts'

const guide = fileURLToPath(new URL('fixtures/guide-provider.js', import.meta.url))

/** Reads a module written into a file of its own. */
async function read(t: TestContext, source: string, name = 'plugin.mjs'): Promise<DialectPackage | undefined> {
  const path = join(await temporaryDirectory(t), name)
  await writeFile(path, source)
  return seedDialect().read({ path, kind: 'file' })
}

async function info(t: TestContext, literal: string): Promise<Record<string, unknown>> {
  const found = await read(t, `export const PluginInfo = ${literal}\nexport function NewProvider() {}`)
  return found?.manifest as Record<string, unknown>
}

test('the provider of the development guide becomes a manifest', async () => {
  const found = await seedDialect().read({ path: guide, kind: 'file' })
  assert.deepEqual(found?.manifest, {
    schemaVersion: 1,
    id: 'seed/myprovider',
    version: '1.0.0',
    description: 'My Custom Provider',
    author: 'Your Name',
    license: 'LGPL-3.0-or-later',
    main: 'guide-provider.js',
    requires: { api: '>=1.0.0 <2.0.0' },
    contributes: {
      'hypersdk.provider': {
        myprovider: {
          display_name: 'myprovider',
          capabilities: { supported_formats: ['qcow2', 'raw'], supports_compression: true },
        },
      },
    },
    permissions: ['fs:read ${instances.*.metadata.directory}'],
  })
  assert.equal(found?.main, 'guide-provider.js')
  assert.ok(existsSync(fileURLToPath(found?.adapter ?? '')))
})

test('every spelling of the fields is understood', async (t) => {
  const manifest = await info(
    t,
    `{ name: 'My Cloud', publisher: 'ACME Corp', version: 'v2.1', providerType: 'mycloud', min_sdk_version: '1.2',
       capabilities: { supports_snapshots: true, maxVMSizeGB: 100 }, dependencies: ['auth', 'acme/tls@^2.0.0', { name: 'log', version: '>=1' }] }`,
  )
  assert.equal(manifest['id'], 'acme-corp/my-cloud')
  assert.equal(manifest['version'], '2.1.0')
  assert.deepEqual(manifest['requires'], { api: '>=1.2.0 <2.0.0' })
  const later = await info(t, "{ name: 'p', version: '1.0.0', provider_type: 'p', min_sdk_version: '9.1' }")
  assert.deepEqual(later['requires'], { api: '>=9.1.0 <10.0.0' }, 'a range that something could meet')
  assert.deepEqual(manifest['dependencies'], [
    { id: 'seed/auth', range: '*' },
    { id: 'acme/tls', range: '^2.0.0' },
    { id: 'seed/log', range: '>=1' },
  ])
  assert.deepEqual(manifest['contributes'], {
    'hypersdk.provider': {
      mycloud: { display_name: 'My Cloud', capabilities: { supports_snapshots: true, max_vm_size_gb: 100 } },
    },
  })
})

const minimal = `{ name: 'p', version: '1.0.0', provider_type: 'p' }`

for (const [form, source] of Object.entries({
  'a constant exported where it is declared': `export const PluginInfo = ${minimal}; export const NewProvider = () => ({})`,
  'a constant exported later': `const PluginInfo = ${minimal}; class NewProvider {}; export { PluginInfo, NewProvider }`,
  'another name': `const info = ${minimal}; export { info as PluginInfo }; export function NewProvider() {}`,
  'parts that are constants': `const version = '1.' + '0.0'; export const PluginInfo = Object.freeze({ name: 'p', version, provider_type: \`p\` }); export let NewProvider`,
  'a factory from another module': `export const PluginInfo = ${minimal}; export { NewProvider } from './provider.js'`,
  'names from another module': `export const PluginInfo = ${minimal}; export * from './provider.js'`,
})) {
  test(`PluginInfo is found as ${form}`, async (t) => {
    const found = await read(t, source)
    assert.equal(Reflect.get(Object(found?.manifest), 'id'), 'seed/p')
  })
}

for (const [form, source] of Object.entries({
  'module.exports': `module.exports = { PluginInfo: ${minimal}, NewProvider }; function NewProvider() {}`,
  'exports.name': `exports.PluginInfo = ${minimal}; module.exports.NewProvider = () => null; if (1) return`,
})) {
  test(`PluginInfo is found in CommonJS by ${form}`, async (t) => {
    const found = await read(t, source, 'plugin.js')
    assert.equal(Reflect.get(Object(found?.manifest), 'id'), 'seed/p')
  })
}

test('TypeScript is understood', async (t) => {
  const source = `export const PluginInfo = ${minimal} as const satisfies object\nexport function NewProvider(config: object): object { return config }`
  assert.equal((await read(t, source, 'plugin.ts'))?.main, 'plugin.ts')
})

test('a folder is read by its index or main module, or by what its package.json names', async (t) => {
  const source = `export const PluginInfo = ${minimal}; export function NewProvider() {}`
  const folder = await temporaryDirectory(t)
  assert.equal(await seedDialect().read({ path: folder, kind: 'folder' }), undefined)
  await writeFile(join(folder, 'main.mjs'), source)
  assert.equal((await seedDialect().read({ path: folder, kind: 'folder' }))?.main, 'main.mjs')
  await writeFile(join(folder, 'index.cjs'), `exports.PluginInfo = ${minimal}; exports.NewProvider = () => null`)
  assert.equal((await seedDialect().read({ path: folder, kind: 'folder' }))?.main, 'index.cjs')
  await writeFile(join(folder, 'index.mjs'), source)
  assert.equal((await seedDialect().read({ path: folder, kind: 'folder' }))?.main, 'index.mjs')
  await mkdir(join(folder, 'lib'))
  await writeFile(join(folder, 'lib', 'main.js'), source)
  await writeFile(join(folder, 'package.json'), '{"main": "./lib/main.js", "type": "module"}')
  assert.equal((await seedDialect().read({ path: folder, kind: 'folder' }))?.main, 'lib/main.js')
  for (const other of ['{"main": "../outside.js"}', '{ broken', '[]']) {
    await writeFile(join(folder, 'package.json'), other)
    assert.equal((await seedDialect().read({ path: folder, kind: 'folder' }))?.main, 'index.mjs', other)
  }
})

test('other modules are left alone, however they are written', async (t) => {
  for (const source of [
    'export const a = 1',
    '// PluginInfo is only mentioned here\nexport default 1',
    'const PluginInfo = {}',
    'import { PluginInfo } from "./x.js"',
    '\0\0 not a program',
  ]) {
    assert.equal(await read(t, source), undefined, source)
  }
})

test('reading runs nothing of the module', async (t) => {
  const trace = join(await temporaryDirectory(t), 'trace')
  await read(
    t,
    `import fs from 'node:fs'; fs.writeFileSync(${JSON.stringify(trace)}, 'ran'); export const PluginInfo = ${minimal}; export function NewProvider() {}`,
  )
  assert.equal(existsSync(trace), false)
})

for (const [place, literal] of [
  ['version', `{ name: 'p', version: process.version, provider_type: 'p' }`],
  ['the value', `makeInfo()`],
  ['capabilities.formats[1]', `{ name: 'p', capabilities: { formats: ['raw', other] } }`],
  ['the value', `{ ...base, name: 'p' }`],
  ['the value', `{ get name() { return 'p' } }`],
  ['the value', `{ ['na' + 'me']: 'p' }`],
  ['name', '{ name: `p${1}` }'],
  ['name', `{ name: /p/ }`],
] as const) {
  test(`${literal} is not constant: the message says where, the hint how to write a plugin.json`, async (t) => {
    await assert.rejects(info(t, literal), (error: Error & { hint: string; code: string }) => {
      assert.equal(error.code, 'SEED_INFO_NOT_CONSTANT')
      assert.match(error.message, new RegExp(`: ${place.replaceAll(/[.[\]]/g, '\\$&')} of PluginInfo`))
      assert.match(error.hint, /plugin\.json.*schemaVersion.*hypersdk\.provider/)
      return true
    })
  })
}

test('a name that refers to itself is not constant', async (t) => {
  await assert.rejects(read(t, 'const a = a; export const PluginInfo = a; export let NewProvider'), {
    code: 'SEED_INFO_NOT_CONSTANT',
  })
})

for (const [field, literal] of [
  ['name', `{ version: '1.0.0', provider_type: 'p' }`],
  ['name', `{ name: '***', version: '1.0.0', provider_type: 'p' }`],
  ['version', `{ name: 'p', provider_type: 'p' }`],
  ['version', `{ name: 'p', version: 'latest', provider_type: 'p' }`],
  ['provider_type', `{ name: 'p', version: '1.0.0' }`],
  ['author', `{ name: 'p', version: '1.0.0', provider_type: 'p', author: 7 }`],
  ['dependencies', `{ name: 'p', version: '1.0.0', provider_type: 'p', dependencies: 'auth' }`],
  ['dependencies', `{ name: 'p', version: '1.0.0', provider_type: 'p', dependencies: [7] }`],
  ['min_sdk_version', `{ name: 'p', version: '1.0.0', provider_type: 'p', min_sdk_version: 'x' }`],
  ['to be an object', `'p'`],
] as const) {
  test(`${literal} lacks or spoils ${field}`, async (t) => {
    await assert.rejects(info(t, literal), { code: 'SEED_INFO_INCOMPLETE', message: new RegExp(`needs ${field}`) })
  })
}

test('both names in lower case are an error that says so, one of them is somebody else’s', async (t) => {
  const lower = `export const pluginInfo = ${minimal}`
  assert.equal(await read(t, lower), undefined)
  await assert.rejects(read(t, `${lower}; export function newProvider() {}`), { code: 'SEED_NAMES_UNEXPORTED' })
})

test('PluginInfo without NewProvider is an error, and so is a module that cannot be parsed', async (t) => {
  await assert.rejects(read(t, `export const PluginInfo = ${minimal}`), { code: 'SEED_FACTORY_MISSING' })
  await assert.rejects(read(t, `export const PluginInfo = {`), { code: 'SEED_SOURCE_UNREADABLE', message: /\(1:\d+\)/ })
})
