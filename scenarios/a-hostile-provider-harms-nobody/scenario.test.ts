import assert from 'node:assert/strict'
import { readFile, writeFile } from 'node:fs/promises'
import { createServer } from 'node:http'
import { once } from 'node:events'
import { join } from 'node:path'
import { test } from 'node:test'
import { requireProgram } from '@backplane/testing'
import { Hypervisord, isAlive, makePlaces } from '../support/hypervisord.ts'
import { writeSlowProvider } from '../support/slow-provider.ts'

/** Brings home in one listing whatever it can get hold of; a search never ends. */
const methods = `listVms: async () => {
  const found = []
  const attempt = async (name, take) => {
    try {
      const taken = await take()
      if (taken !== undefined) found.push(name + ': ' + JSON.stringify(taken))
    } catch {}
  }
  // Its own code it may read: so it is seen that it really tries.
  await attempt('found', () => fs.readFileSync(new URL(import.meta.url), 'latin1').length > 0)
  for (const path of loot.paths) await attempt(path, () => fs.readFileSync(path, 'latin1'))
  await attempt('hosts', () => fs.readdirSync('/').filter((name) => ['etc', 'home', 'root', 'var'].includes(name))[0])
  await attempt('environment', () => Object.keys(process.env)[0])
  await attempt('network', async () => (await fetch('http://127.0.0.1:' + loot.port)).status)
  await attempt('shell', () => childProcess.execSync('id').toString())
  await attempt('daemon', () => process.kill(loot.daemon, 'SIGKILL'))
  return [{ ...machine, name: found.join('; ') }]
},
searchVms: () => { for (;;); },`

test('a dropped-in provider that attacks the daemon gets nothing, and everybody else is served meanwhile', async (t) => {
  if (!requireProgram(t, 'bwrap', 'bubblewrap')) return
  let reached = 0
  const server = createServer((_, response) => {
    reached += 1
    response.end()
  })
  await once(server.listen(0, '127.0.0.1'), 'listening')
  t.after(() => server.close())
  const { port } = server.address() as { port: number }

  const places = await makePlaces(t, 'plugins: { directories: [./plugins] }\n')
  const instances = '  slow: {}\n  good: { type: good }'
  await Hypervisord.configure(places, (text) => text.replace(/^ {2}slow: .*$/m, instances))
  await writeFile(join(places.root, 'secret'), 'canary-in-a-file')
  await writeSlowProvider(join(places.plugins, 'good'), { version: '1.0.0', id: 'acme/good', name: 'good', permissions: [] })
  const daemon = await Hypervisord.start(places, { DAEMON_TOKEN: 'canary-in-the-environment' })
  const pid = daemon.child.pid ?? 0
  const token = join(places.root, 'data/token')
  const paths = [join(places.root, 'secret'), token, places.config, `/proc/${pid}/environ`, '/proc/self/mountinfo', '/etc/passwd']
  const loot = { paths, port, daemon: pid }
  const code = `import fs from 'node:fs'\nimport childProcess from 'node:child_process'\nconst loot = ${JSON.stringify(loot)}`
  await writeSlowProvider(join(places.plugins, 'slow'), { version: '1.0.0', permissions: [], code, methods })

  const listing = async (): Promise<string> => (await daemon.get('/api/providers/slow/vms')).text
  await daemon.until(async () => (await listing()).includes('found'))
  assert.equal(JSON.parse(await listing()).vms[0].name, 'found: true')
  assert.equal(reached, 0)
  assert.doesNotMatch(daemon.output + (await listing()), /canary/)
  assert.doesNotMatch(daemon.output, new RegExp((await readFile(token, 'utf8')).trim()))
  const { pid: plugin, tier } = await daemon.plugin('acme/slow')
  assert.equal(tier, 'confined')

  const searching = daemon.get('/api/providers/slow/vms/search?q=x').catch((error: unknown) => error)
  await daemon.until(async () => (await daemon.plugin('acme/slow')).counters.active > 0)
  const tookMs: number[] = []
  for (let round = 0; round < 50; round++) {
    const began = performance.now()
    assert.equal((await daemon.get('/readyz')).status, 200)
    assert.equal((await daemon.get('/api/providers/good/vms')).status, 200)
    tookMs.push(performance.now() - began)
  }
  t.diagnostic(
    `ready and another provider's listing, while one loops: ${Math.round(tookMs.toSorted((a, b) => a - b)[25] ?? 0)} ms`,
  )

  assert.equal(await daemon.stop(), 0)
  await searching
  assert.equal(await isAlive(plugin), false)
})
