import assert from 'node:assert/strict'
import { existsSync } from 'node:fs'
import { mkdir, rename, symlink, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { test } from 'node:test'
import { temporaryDirectory } from '@backplane/testing'
import { deletePluginFiles } from './delete-plugin-files.ts'

test('exactly the folder of a plugin is deleted, also where its directory is named by a link, and nothing a link leads to', async (t) => {
  const root = await temporaryDirectory(t)
  const at = (...names: string[]): string => join(root, ...names)
  const put = async (...names: string[]): Promise<string> => {
    await mkdir(at(...names), { recursive: true })
    await writeFile(at(...names, 'plugin.json'), '{}')
    return at(...names)
  }
  const [one, , outside] = [await put('plugins', 'acme', 'one'), await put('plugins', 'acme', 'two'), await put('outside', 'two')]
  await symlink(at('plugins'), at('named'))
  const all = [at('named', 'acme', 'one'), at('named', 'acme', 'two')]
  const options = { directories: [at('named')], paths: () => all }
  const remove = (path: string): Promise<void> =>
    deletePluginFiles({ id: 'acme/one', version: '1.0.0', origin: 'external', source: 'directory', path }, options)
  await remove(at('named', 'acme', 'one'))
  assert.deepEqual([existsSync(one), existsSync(at('plugins', 'acme', 'two'))], [false, true])
  for (const path of [at('named'), at('named', 'acme'), at('outside', 'two'), root]) {
    await assert.rejects(remove(path), { code: 'SERVER_FILES_KEPT' }, path)
  }
  // The folder around it became a link after the plugin was found.
  await rename(at('plugins', 'acme'), at('plugins', 'was-acme'))
  await symlink(at('outside'), at('plugins', 'acme'))
  await assert.rejects(remove(at('named', 'acme', 'two')), { code: 'SERVER_FILES_KEPT' })
  assert.ok(existsSync(join(outside, 'plugin.json')))
})
