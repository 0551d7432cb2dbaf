import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { mkdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { test } from 'node:test'
import { pathToFileURL } from 'node:url'
import { memoryStore } from '@backplane/kernel'
import type { PluginInstalls } from '@backplane/server'
import { writeIndex } from '@backplane/sources/install'
import { requireProgram, temporaryDirectory } from '@backplane/testing'
import { generateKey } from '@backplane/trust'
import { loadConfig } from '../config/load-config.ts'
import { hostLog } from '../daemon/host-log.ts'
import { pluginTrust } from '../daemon/plugin-trust.ts'
import { Redactor } from '../secrets/redactor.ts'
import { hostInstalls } from './host-installs.ts'
import { fetcherPlaces, packageFetchers } from './package-fetchers.ts'

const work = { signal: new AbortController().signal }

test('something newer is found in every kind of source, of what others need too, and what cannot be asked hides no other', async (t) => {
  if (!requireProgram(t, 'git', 'git') || !requireProgram(t, 'tar', 'tar')) return
  const root = await temporaryDirectory(t)
  const key = generateKey()
  await writeFile(join(root, 'index.pub'), key.publicKey)
  const write = async (folder: string, id: string, version: string, more: object = {}): Promise<void> => {
    await mkdir(join(root, folder), { recursive: true })
    const manifest = { schemaVersion: 1, id, version, requires: { api: '*' }, ...more }
    await writeFile(join(root, folder, 'plugin.json'), JSON.stringify(manifest))
    await writeFile(join(root, folder, 'index.js'), 'export default {}\n')
  }
  const publish = async (version: string): Promise<void> => {
    await write('offered/folder', 'acme/folder', version)
    const archives: string[] = []
    for (const [name, more] of [
      ['indexed', { dependencies: [{ id: 'acme/needed', range: '^1.0.0' }] }],
      ['needed', {}],
    ] as const) {
      await write(`made/${name}-${version}`, `acme/${name}`, version, more)
      archives.push(join(root, `${name}-${version}.tgz`))
      execFileSync('tar', ['-czf', archives.at(-1) ?? '', '-C', join(root, `made/${name}-${version}`), 'plugin.json', 'index.js'])
    }
    await writeIndex(join(root, 'index'), archives, { keys: [key.privateKey], ...work })
    await write('repositories/tagged', 'acme/tagged', version)
    const git = (...args: string[]): unknown =>
      execFileSync('git', ['-C', join(root, 'repositories/tagged'), '-c', 'user.name=a', '-c', 'user.email=a@b', ...args])
    git('init', '--quiet')
    git('add', '.')
    git('commit', '--quiet', '-m', version)
    git('tag', `v${version}`)
  }
  await publish('1.0.0')
  await writeFile(join(root, 'trust.json'), JSON.stringify({ allowUnsigned: true }))
  const index = `{ acme: { url: '${pathToFileURL(join(root, 'index')).href}', keys: [./index.pub] } }`
  const sources = `{ directories: [./offered], indexes: ${index}, git_folders: [./repositories], dependencies: { acme/*: 'index:acme/*' } }`
  await writeFile(
    join(root, 'config.yaml'),
    `plugins:\n  trust_policy: ./trust.json\n  sources: ${sources}\ndata_directory: ./data\n`,
  )
  const config = await loadConfig('config.yaml', {}, { env: { HOME: root }, uid: 1000, cwd: root })
  const redactor = new Redactor()
  const log = hostLog({ level: 'error', pretty: false, redactor, write: () => undefined })
  const trust = await pluginTrust(config, { log, store: memoryStore() })
  const handles = { env: {}, broker: { resolve: async () => undefined } }
  /** As after a restart: an index counts as read for a while. */
  const opened = async (): Promise<PluginInstalls> => {
    const fetchers = await packageFetchers(config.plugins.sources, fetcherPlaces(config.dataDirectory), { handles, redactor })
    return hostInstalls({ config, trust, fetchers, paths: () => [] })
  }
  const git = `git:${pathToFileURL(join(root, 'repositories/tagged')).href}@^1`
  const references = [join(root, 'offered/folder'), 'index:acme/indexed@^1', git]
  const changes = references.map((reference) => ({ kind: 'add', reference }) as const)
  await (await opened()).apply({ changes, approvals: {} }, work)
  const found = async (): Promise<readonly (readonly [string, string | undefined, string | undefined])[]> =>
    (await (await opened()).outdated(work)).map(({ id, available, problem }) => [id, available, problem?.code] as const)
  assert.deepEqual(
    (await found()).filter(([, available, problem]) => available !== undefined || problem !== undefined),
    [],
  )
  await publish('1.1.0')
  await writeFile(join(root, 'offered/folder/plugin.json'), '{')
  assert.deepEqual(await found(), [
    ['acme/folder', undefined, 'SOURCE_MANIFEST_INVALID'],
    ['acme/indexed', '1.1.0', undefined],
    ['acme/needed', '1.1.0', undefined],
    ['acme/tagged', '1.1.0', undefined],
  ])
})
