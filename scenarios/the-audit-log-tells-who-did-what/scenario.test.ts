import assert from 'node:assert/strict'
import { appendFile, mkdir, open, readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, test } from 'node:test'
import { requireProgram } from '@backplane/testing'
import { Hypervisord, makePlaces, type Places } from '../support/hypervisord.ts'
import { letGo, writeSlowProvider } from '../support/slow-provider.ts'

const canary = 'canary-5f2c91d07ab4'

interface Written {
  readonly action: string
  readonly subject: string
  readonly outcome: string
  readonly actor: { readonly name: string }
  readonly plugin?: string
  readonly reason?: string
  readonly trace?: string
}

async function written(daemon: Hypervisord, query = ''): Promise<readonly Written[]> {
  const { status, body, text } = await daemon.get(`/api/audit?after=0&limit=1000${query}`)
  assert.equal(status, 200, text)
  return body.records
}

const line = ({ actor, action, subject, outcome }: Written): string => [actor.name, action, subject, outcome].join(' ')

async function placesWithSecret(t: Parameters<typeof makePlaces>[0], extra = ''): Promise<Places> {
  const places = await makePlaces(t, `plugins: { directories: [./plugins] }\nsecrets: { files: ./secrets }\n${extra}`)
  await mkdir(join(places.root, 'secrets'), { mode: 0o700 })
  await writeFile(join(places.root, 'secrets', 'slow-password'), canary, { mode: 0o600 })
  const secret = `slow: { password: "\${secret:slow-password}", metadata: { directory: ${places.control} } }`
  await Hypervisord.configure(places, (yaml) => yaml.replace(/slow: \{.*\}/, secret))
  await writeSlowProvider(join(places.plugins, 'slow'), { version: '1.0.0' })
  return places
}

// Each has a daemon of its own, and waits more than it works.
describe('the audit log', { concurrency: 2 }, () => {
  test('verdicts, starts, changes, refusals and secrets read are in the log, in order, and no value of a secret', async (t) => {
    const places = await placesWithSecret(t)
    const daemon = await Hypervisord.start(places)
    assert.equal((await daemon.get('/api/providers/slow/vms')).status, 200)
    await letGo(places.control)
    const job = await daemon.submit({ provider: 'slow', vm_id: 'vm/1', output_dir: 'out' })
    assert.equal((await daemon.ended(job)).status, 'completed')
    assert.equal((await daemon.post('/api/plugins/slow/disable', { reason: 'maintenance' })).status, 200)
    assert.equal((await daemon.post('/api/plugins/nothing/enable')).status, 404)
    const id = (await daemon.plugin('slow')).id
    const records = await written(daemon)
    const lines = records.map(line)
    for (const expected of [
      `host plugin.admit ${id} 1.0.0 ok`,
      'host host.start host noted',
      'host secret.read slow-password ok',
      'unix socket jobs.submit /jobs/submit ok',
      'host export.completed slow vm/1 ok',
      'unix socket plugins.disable slow asked',
      `host plugin.disabled ${id} 1.0.0 noted`,
      'unix socket plugins.disable slow ok',
      'unix socket plugins.enable nothing refused',
    ]) {
      assert.ok(lines.includes(expected), `${expected}\n${lines.join('\n')}`)
    }
    const [asked, done] = records.filter(({ action }) => action === 'plugins.disable')
    assert.deepEqual([asked?.trace, asked?.plugin], [done?.trace, id])
    assert.equal(records.find(({ action }) => action === 'secret.read')?.plugin, id)
    assert.deepEqual(new Set((await written(daemon, `&plugin=${id}`)).map(({ plugin }) => plugin)), new Set([id]))
    const checked = await daemon.post('/api/audit/verify')
    assert.deepEqual([checked.body.ok, checked.body.checked], [true, { key: true, head: true }])
    assert.equal(await daemon.stop(), 0)
    const again = await Hypervisord.start(places)
    const actions = (await written(again)).map(({ action }) => action)
    assert.ok(actions.indexOf('host.stop') < actions.lastIndexOf('host.start'), 'the end of the daemon is written too')
    assert.equal((await again.post('/api/audit/verify')).body.ok, true)
    const audit = join(places.root, 'data', 'audit')
    const texts = await Promise.all((await readdir(audit)).map((name) => readFile(join(audit, name), 'utf8')))
    assert.ok(texts.join('').includes('slow-password') && !`${texts.join('')}${again.output}`.includes(canary))
  })

  test('after kill -9 in the middle of changes every answered one is there, and the chain holds', async (t) => {
    const places = await placesWithSecret(t)
    let daemon = await Hypervisord.start(places)
    const answered: string[] = []
    for (let round = 0; round < 4; round += 1) {
      const killed = new AbortController()
      const changes = (async () => {
        for (let number = 0; !killed.signal.aborted; number += 1) {
          const name = `t${round}-${number}`
          const made = await daemon.post('/api/tokens', { name, scope: 'read' }).catch(() => undefined)
          if (made?.status === 201) answered.push(name)
          if (made?.status === 201) await daemon.send('DELETE', `/api/tokens/${name}`).catch(() => undefined)
        }
      })()
      await daemon.until(async () => answered.filter((name) => name.startsWith(`t${round}-`)).length > round * 3)
      await daemon.kill()
      killed.abort()
      await changes
      const [newest = ''] = (await readdir(join(places.root, 'data', 'audit'))).toSorted().toReversed()
      if (round === 2) await appendFile(join(places.root, 'data', 'audit', newest), '{"action":"torn')
      daemon = await Hypervisord.start(places)
    }
    const records = await written(daemon)
    const done = records.filter(({ action, outcome }) => action === 'tokens.create' && outcome === 'ok').length
    assert.ok(done >= answered.length, `${done} of ${answered.length}`)
    assert.ok(records.some(({ action }) => action === 'audit.repaired'))
    const { body } = await daemon.post('/api/audit/verify')
    assert.deepEqual([body.ok, body.problems], [true, []])
  })

  test('records that somebody changes or takes off the end are named, and the daemon says that it found them', async (t) => {
    const places = await placesWithSecret(t)
    let daemon = await Hypervisord.start(places)
    await daemon.post('/api/plugins/slow/disable')
    await daemon.stop()
    const audit = join(places.root, 'data', 'audit')
    const [file = ''] = await readdir(audit)
    const lines = (await readFile(join(audit, file), 'utf8')).trimEnd().split('\n')
    await writeFile(join(audit, file), `${lines.slice(0, -2).join('\n')}\n`)
    daemon = await Hypervisord.start(places)
    const { body } = await daemon.post('/api/audit/verify')
    assert.equal(body.ok, false)
    assert.deepEqual(
      body.problems.map(({ kind, seq }: { kind: string; seq: number }) => [kind, seq]),
      [['removed', lines.length - 1]],
    )
    const broken = (await written(daemon)).find(({ action }) => action === 'audit.broken')
    assert.match(broken?.reason ?? '', new RegExp(`records ${lines.length - 1} to ${lines.length} are missing`))
    assert.match(daemon.output, /the audit log stands at/)
  })

  test('while the volume of the audit log is full nothing is changed, looking goes on, and it ends by itself', async (t) => {
    if (!requireProgram(t, 'bwrap', 'bubblewrap')) return
    const places = await placesWithSecret(t, 'audit: { directory: ./audit }\n')
    const audit = join(places.root, 'audit')
    const sandbox = [
      'bwrap',
      '--die-with-parent',
      '--bind',
      '/',
      '/',
      '--dev',
      '/dev',
      '--size',
      String(512 * 1024),
      '--tmpfs',
      audit,
    ]
    const daemon = await Hypervisord.start(places, {}, sandbox)
    const { pid: monitor } = daemon.child
    const pid = Number((await readFile(`/proc/${monitor}/task/${monitor}/children`, 'utf8')).trim())
    const filling = join(`/proc/${pid}/root`, audit, 'filling')
    {
      await using file = await open(filling, 'w')
      await file.writeFile(Buffer.alloc(1024 * 1024, 1)).catch(() => undefined)
    }
    let refused = { status: 0, body: { code: '' } }
    let name = ''
    for (let number = 0; number < 100 && refused.status !== 503; number += 1) {
      name = `t${number}`
      refused = await daemon.post('/api/tokens', { name, scope: 'read' })
    }
    assert.deepEqual([refused.status, refused.body.code], [503, 'AUDIT_UNWRITABLE'])
    const { tokens } = (await daemon.get('/api/tokens')).body as { readonly tokens: readonly { readonly name: string }[] }
    assert.ok(tokens.every((token) => token.name !== name))
    assert.equal((await daemon.get('/api/plugins')).status, 200)
    assert.equal((await daemon.get('/readyz')).status, 503)
    await rm(filling)
    assert.equal((await daemon.post('/api/plugins/slow/disable')).status, 200)
    assert.equal((await daemon.get('/readyz')).status, 200)
    assert.equal((await daemon.post('/api/audit/verify')).body.ok, true)
  })

  test('a host that wants everything written has calls and looks too; one that wants nothing has no log', async (t) => {
    const places = await placesWithSecret(t, 'audit: { log_all_operations: true, sensitive_data_access: ignore }\n')
    let daemon = await Hypervisord.start(places)
    await daemon.get('/api/providers/slow/vms')
    const actions = (await written(daemon)).map(({ action }) => action)
    assert.ok(actions.includes('call.made') && actions.includes('providers.vms'), actions.join())
    assert.ok(!actions.includes('secret.read'))
    await daemon.stop()
    await Hypervisord.configure(places, (yaml) => yaml.replace(/audit: .*/, 'audit: { enabled: false }'))
    daemon = await Hypervisord.start(places)
    assert.equal((await daemon.get('/api/audit')).status, 404)
  })
})
