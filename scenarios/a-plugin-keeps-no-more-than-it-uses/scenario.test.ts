import assert from 'node:assert/strict'
import { once } from 'node:events'
import { chmod, mkdir, readFile, writeFile } from 'node:fs/promises'
import { createServer, type AddressInfo } from 'node:net'
import { join } from 'node:path'
import { test, type TestContext } from 'node:test'
import { requireProgram } from '@backplane/testing'
import type { KeyPair } from '@backplane/trust'
import { backplaneHere, type Ran } from '../support/backplane.ts'
import { Hypervisord, makePlaces, type Places } from '../support/hypervisord.ts'
import { writeSlowProvider } from '../support/slow-provider.ts'
import { trustNewKey, writeSignedProvider } from '../support/signed-package.ts'

interface Stage {
  readonly places: Places
  readonly daemon: Hypervisord
  readonly key: KeyPair
  /** What it asks for: an inventory and a place, which it uses, and secrets and a place, which it does not. */
  readonly permissions: Readonly<Record<'inventory' | 'secrets' | 'used' | 'unused', string>>
  readonly backplane: (...args: readonly string[]) => Promise<Ran>
  /** Names of its machines, or what came instead. */
  readonly machines: () => Promise<unknown>
}

async function listener(t: TestContext): Promise<string> {
  const server = createServer((socket) => socket.end('hello'))
  await once(server.listen(0, '127.0.0.1'), 'listening')
  t.after(() => server.close())
  return `127.0.0.1:${(server.address() as AddressInfo).port}`
}

/** The names of its machines are what reading these files and asking these places came to. */
function methods(files: readonly string[], places: readonly string[]): string {
  return `listVms: async () => {
    const { readFile } = await import('node:fs/promises')
    const { connect } = await import('node:net')
    const reach = (place) => new Promise((resolve) => {
      const [host, port] = place.split(':')
      const socket = connect({ host, port: Number(port) })
      socket.once('data', (data) => resolve(String(data))).once('error', ({ code }) => resolve(code))
    })
    const read = (path) => readFile(path, 'utf8').catch(({ code }) => code)
    const found = await Promise.all([...${JSON.stringify(files)}.map(read), ...${JSON.stringify(places)}.map(reach)])
    return found.map((name, at) => ({ ...machine, id: 'vm/' + at, name: at + ' ' + name }))
  },`
}

async function stage(t: TestContext): Promise<Stage> {
  const places = await makePlaces(
    t,
    'plugins: { audit: [slow], directories: [./plugins], trust_policy: ./trust.json, sources: { directories: [./packages] } }\n',
  )
  const [inventory, secrets] = [join(places.root, 'inventory'), join(places.root, 'secrets')]
  for (const [directory, file] of [
    [join(inventory, 'east'), 'list'],
    [secrets, 'key'],
  ] as const) {
    await mkdir(directory, { recursive: true })
    await writeFile(join(directory, file), `the ${file}`)
  }
  // a sandboxed plugin is a user of its own where the daemon is root
  await chmod(places.root, 0o755)
  const [used, unused] = [await listener(t), await listener(t)]
  await Hypervisord.configure(places, (text) =>
    text.replace('{ metadata: { directory:', `{ metadata: { used: '${used}', unused: '${unused}', directory:`),
  )
  const key = await trustNewKey(join(places.root, 'trust.json'))
  const daemon = await Hypervisord.start(places, {}, [], [])
  const backplane = (...args: readonly string[]): Promise<Ran> => backplaneHere(places, args)
  const permissions = {
    inventory: `fs:read ${inventory}`,
    secrets: `fs:read ${secrets}`,
    used: `net:connect ${used}`,
    unused: `net:connect ${unused}`,
  }
  const machines = async (): Promise<unknown> => {
    const { status, body, text } = await daemon.get('/api/providers/slow/vms')
    return status === 200 ? body.vms.map(({ name }: { readonly name: string }) => name.slice(2)) : text
  }
  return { places, daemon, key, permissions, backplane, machines }
}

const place = (permission: string): string => permission.slice(permission.indexOf(' ') + 1)

test('what a plugin never used is seen, withheld, and then denied to a version that goes for it', async (t) => {
  if (!requireProgram(t, 'bwrap', 'bubblewrap')) return
  const { places, daemon, key, permissions, backplane, machines } = await stage(t)
  const { inventory, secrets, used, unused } = permissions
  const asked = [inventory, secrets, used, unused]
  const folder = join(places.root, 'packages', 'slow')
  const list = join(place(inventory), 'east', 'list')
  const honest = methods([list], [place(used)])
  await writeSignedProvider(folder, { version: '1.0.0', permissions: asked, methods: honest }, key)
  const all = join(places.root, 'all.json')
  await writeFile(all, JSON.stringify({ grantsVersion: 1, plugins: { 'acme/slow': { permissions: asked } } }))
  const added = await backplane('add', folder, '--grant-file', all)
  assert.equal(added.code, 0, added.err)
  assert.deepEqual(await machines(), ['the list', 'hello'])
  const watched = await backplane('doctor')
  assert.match(watched.err, /acme\/slow runs in audit mode/)

  let shown: Ran | undefined
  await daemon.until(async () => {
    shown = await backplane('permissions', 'slow', '--used')
    return shown.out.includes(list)
  })
  const text = shown?.out ?? ''
  assert.ok(text.startsWith('acme/slow 1.0.0, in audit mode\n'), text)
  assert.ok(text.includes(`✓ ${inventory}\n    used once, by its own word, last at `), text)
  assert.ok(text.includes(`would do with: ${inventory}/east\n`), text)
  assert.ok(text.includes(`✓ ${used}\n    used once, last at `), text)
  for (const never of [secrets, unused]) assert.ok(text.includes(`✗ ${never}\n    never used\n`), text)

  const proposed = await backplane('grants', 'propose', 'slow')
  const least = { permissions: [inventory, used].sort(), withheld: [secrets, unused].sort() }
  assert.deepEqual(JSON.parse(proposed.out), { grantsVersion: 1, plugins: { 'acme/slow': least } })
  assert.match(proposed.err, /its manifest could ask for fs:read .*\/inventory\/east instead of fs:read /)

  const wrong = await backplane('grants', 'withhold', 'slow', `${secrets}x`)
  assert.match(wrong.err, /SERVER_PERMISSION_NOT_ASKED: .*did you mean/)
  const withheld = await backplane('grants', 'withhold', 'slow', secrets, unused)
  assert.equal(withheld.code, 0, withheld.err)
  assert.match(withheld.out, /withheld, so it runs without:/)
  assert.deepEqual(await machines(), ['the list', 'hello'], 'it keeps working')
  const record = await daemon.plugin('slow')
  assert.deepEqual([record.state, new Set(record.withheld)], ['active', new Set(least.withheld)])
  const lock = JSON.parse(await readFile(join(places.root, 'data', 'backplane.lock'), 'utf8'))
  assert.deepEqual(
    [lock.plugins['acme/slow'].permissions, lock.plugins['acme/slow'].withheld],
    [least.permissions, least.withheld],
  )

  const grasping = methods([list, join(place(secrets), 'key')], [place(used), place(unused)])
  await writeSignedProvider(folder, { version: '1.1.0', permissions: asked, methods: grasping }, key)
  const updated = await backplane('update', 'acme/slow', '--yes')
  assert.equal(updated.code, 0, updated.err)
  assert.match(updated.err, /runs without: fs:read .*, net:connect /)
  assert.deepEqual(await machines(), ['the list', 'ENOENT', 'hello', 'EGRESS_DENIED'])
  let why: Ran | undefined
  await daemon.until(async () => {
    why = await backplane('why', 'slow')
    return why.out.includes(`${secrets}/key`) && why.out.includes(`${unused}:`)
  })
  assert.match(why?.out ?? '', /! It tried \d+ times what it was not granted\./)
  const found = why?.out ?? ''
  assert.ok(found.includes(`An operator withheld ${secrets}, ${unused}.`), found)

  const back = await backplane('approve', 'slow', secrets)
  assert.equal(back.code, 0, back.err)
  assert.deepEqual(await machines(), ['the list', 'the key', 'hello', 'EGRESS_DENIED'], 'one is given back, the other not')
})

test('a proposed grant file is what a fresh machine installs by: nothing else is asked, and the rest is withheld', async (t) => {
  if (!requireProgram(t, 'bwrap', 'bubblewrap')) return
  const { places, key, permissions, backplane, machines } = await stage(t)
  const { inventory, secrets, used, unused } = permissions
  const asked = [inventory, secrets, used, unused]
  const folder = join(places.root, 'packages', 'slow')
  const files = [join(place(inventory), 'east', 'list'), join(place(secrets), 'key')]
  await writeSignedProvider(folder, { version: '1.0.0', permissions: asked, methods: methods(files, [place(used)]) }, key)
  const file = join(places.root, 'grants.json')
  const write = (answers: object): Promise<void> =>
    writeFile(file, JSON.stringify({ grantsVersion: 1, plugins: { 'acme/slow': answers } }))
  await write({ permissions: [inventory], withheld: [secrets, unused] })
  const missing = await backplane('add', folder, '--grant-file', file, '--yes')
  assert.equal(missing.code, 77)
  assert.match(missing.err, new RegExp(`BACKPLANE_UNAPPROVED: .*${used}`), 'neither approved nor withheld is not answered')
  await write({ permissions: [inventory, used], withheld: secrets })
  assert.match((await backplane('add', folder, '--grant-file', file)).err, /BACKPLANE_FILE_INVALID: .*withheld of acme\/slow/)
  await write({ permissions: [inventory, used], withheld: [secrets, unused] })
  const plan = join(places.root, 'plan.json')
  assert.equal((await backplane('plan', '--add', folder, '--out', plan)).code, 3)
  const applied = await backplane('apply', plan, '--grant-file', file)
  assert.equal(applied.code, 0, applied.err)
  assert.deepEqual(await machines(), ['the list', 'ENOENT', 'hello'])
  const grants = await backplane('grants')
  assert.ok(grants.out.includes(`  withheld: ${secrets}\n`), grants.out)
})

test('what is withheld in the file of grants counts when that is read again, also in development, and so does taking it back', async (t) => {
  const places = await makePlaces(t, 'plugins: { directories: [./plugins] }\n')
  await chmod(places.root, 0o755)
  const inventory = join(places.root, 'inventory')
  await mkdir(inventory)
  await writeFile(join(inventory, 'list'), 'the list')
  const permissions = [`fs:read ${inventory}`]
  const answering = { version: '1.0.0', permissions, methods: methods([join(inventory, 'list')], []) }
  await writeSlowProvider(join(places.plugins, 'slow'), answering)
  const daemon = await Hypervisord.start(places)
  const named = async (): Promise<unknown> => (await daemon.get('/api/providers/slow/vms')).body.vms?.[0]?.name
  assert.equal(await named(), '0 the list')
  const write = async (withheld: readonly string[]): Promise<void> => {
    const plugins = { 'acme/slow': { permissions: [], withheld } }
    await writeFile(join(places.root, 'data', 'grants.json'), JSON.stringify({ grantsVersion: 1, plugins }))
    daemon.child.kill('SIGHUP')
  }
  await write(permissions)
  await daemon.until(async () => (await named()) === '0 ERR_ACCESS_DENIED')
  assert.match(daemon.output, /is stopped: it runs with permissions that are withheld from it now: fs:read /)
  await write([])
  await daemon.until(async () => (await named()) === '0 the list')
})
