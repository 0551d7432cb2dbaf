import { chmod, cp, mkdir, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'

const plugins = fileURLToPath(new URL('../plugins', import.meta.url))
/** The attacks that the tests of the runtimes use too. */
const shared = fileURLToPath(new URL('../../../packages/runtimes/src/fixtures/hostile-plugin', import.meta.url))

/** Puts the plugin folders, and what they are after, below `root`. */
export async function layOut(root: string, secret: string): Promise<void> {
  await cp(plugins, join(root, 'plugins'), { recursive: true })
  await cp(shared, join(root, 'plugins/everything'), { recursive: true })
  await cp(shared, join(root, 'plugins/runner/attacks'), {
    recursive: true,
    filter: (path) => !/(?:index\.js|plugin\.json)$/.test(path),
  })
  for (const name of ['fills-data', 'fills-names', 'nests-data']) await copyAs(root, 'talker', name)
  await mkdir(join(root, 'outside'))
  for (const name of ['shared', 'shared/inner']) {
    await mkdir(join(root, name))
    // The plugin's own user may write it too.
    await chmod(join(root, name), 0o777)
  }
  for (const name of ['secret', 'movable']) await writeFile(join(root, 'outside', name), secret)
}

/** The same code as a plugin of its own, with its own data and its own end. */
async function copyAs(root: string, from: string, name: string): Promise<void> {
  const to = join(root, 'plugins', name)
  await cp(join(root, 'plugins', from), to, { recursive: true })
  const manifest = await readFile(join(to, 'plugin.json'), 'utf8')
  await writeFile(join(to, 'plugin.json'), manifest.replaceAll(from, name))
}
