import assert from 'node:assert/strict'
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { test, type TestContext } from 'node:test'
import { requireProgram } from '@backplane/testing'
import { operator, type Operator } from '../fixtures/operator.ts'

/** What the command of the test's plugin does, and what its manifest asks for. */
interface Reader {
  readonly permissions: readonly string[]
  readonly run: string
  /** Lines of the table `plugins`. */
  readonly config?: string
}

/** Somebody whose policy takes what nobody signed, with a plugin that waits for approval. */
async function reader(t: TestContext, { permissions, run, config = 'isolation = "process"' }: Reader): Promise<Operator> {
  const made = await operator(t, 'popos-kernelstub')
  await made.configure(`[plugins]\ntrust_policy = "policy.json"\nallow = ["reader"]\n${config}\n`)
  await writeFile(join(made.home, '.config/exliar-vfio/policy.json'), '{"allowUnsigned": true}')
  const manifest = {
    schemaVersion: 1,
    id: 'local/reader',
    version: '1.0.0',
    main: 'index.js',
    requires: { api: '^1.0.0' },
    contributes: { 'exliar.command': { look: { description: 'Looks' } } },
    permissions,
  }
  const module = `import { readFileSync } from 'node:fs'
import { definePlugin } from '@backplane/sdk'
import { command, deviceService } from '@exliar-vfio/points'
export default definePlugin((scope) => scope.provide(command, 'look', { run: async () => { ${run} } }))
`
  await made.dropIn('reader', { 'plugin.json': JSON.stringify(manifest), 'index.js': module })
  return made
}

const looks = `return { text: String((await scope.use(deviceService, 'core').list(null)).length > 0) }`

test('what a plugin did not need is proposed, withheld, and given back when somebody says so', async (t) => {
  const { exliar, home } = await reader(t, { permissions: ['pci:read', 'vm:read'], run: looks })
  assert.match((await exliar(['plugins', 'permissions', 'reader'])).out, /^pci:read +waits +nobody can say/m)
  assert.equal((await exliar(['plugins', 'approve', 'reader'], { answers: ['y'] })).code, 0)
  assert.equal((await exliar(['look'])).out, 'true\n')
  const seen = await exliar(['plugins', 'permissions', 'reader'])
  assert.match(seen.out, /^pci:read +approved +once$/m)
  assert.match(seen.out, /^vm:read +approved +never$/m)
  assert.match(seen.out, /^Not needed so far: exliar plugins withhold local\/reader vm:read$/m)

  const proposal = await exliar(['plugins', 'grants', 'reader'])
  assert.deepEqual(proposal.json().plugins, { 'local/reader': { permissions: ['pci:read'], withheld: ['vm:read'] } })
  const approval = { permissions: ['pci:read'], withheld: ['vm:read'], by: 'ops', at: '2026-01-01T00:00:00Z' }
  await writeFile(join(home, 'reviewed.json'), JSON.stringify({ grantsVersion: 1, plugins: { 'local/reader': approval } }))
  assert.equal((await exliar(['plugins', 'approve', 'reader', '--grant-file', join(home, 'reviewed.json')])).code, 0)

  const kept = await exliar(['plugins', 'withhold', 'reader', 'pci:read'])
  assert.match(kept.out, /^pci:read +withheld [^]*^vm:read +withheld /m)
  assert.match((await exliar(['look', '--json'])).err, /CALL_NOT_PERMITTED/)
  const no = await exliar(['plugins', 'approve', 'reader', 'pci:read'], { answers: ['n'] })
  assert.deepEqual([no.code, no.asked.length], [1, 1])
  assert.equal((await exliar(['plugins', 'approve', 'reader', 'pci:read'], { answers: ['y'] })).code, 0)
  assert.equal((await exliar(['look'])).out, 'true\n')
  assert.match((await exliar(['plugins', 'permissions', 'reader'])).out, /^vm:read +withheld /m, 'only what was named came back')

  const nonsense = await exliar(['plugins', 'withhold', 'reader', 'pci:raed', '--json'])
  assert.deepEqual([nonsense.code, nonsense.error().code], [65, 'PERMISSION_NOT_ASKED'])
  assert.match(nonsense.error().message, /pci:read/)
})

test('from a plugin that ships with exliar something can be withheld too, and nothing else of it is approved by that', async (t) => {
  const { exliar, configure } = await operator(t, 'popos-kernelstub')
  await configure('[plugins]\nallow = []\n')
  const [permission = ''] = (await exliar(['plugins', 'show', 'perf-monitor', '--json'])).json().permissions
  await exliar(['plugins', 'withhold', 'perf-monitor', permission])
  const { permissions } = (await exliar(['plugins', 'permissions', 'perf-monitor', '--json'])).json()
  assert.equal(permissions.find((one: { permission: string }) => one.permission === permission).state, 'withheld')
  const back = await exliar(['plugins', 'approve', 'perf-monitor', permission], { answers: ['y'] })
  assert.equal(back.code, 0, back.err)
})

test('a folder with code that the policy does not accept runs no line, and the record says rule, file and fix', async (t) => {
  const made = await reader(t, { permissions: [], run: `return { text: eval('"ran"') }` })
  const refused = await made.exliar(['look'])
  assert.notEqual(refused.code, 0)
  assert.doesNotMatch(refused.out, /ran/)
  assert.match(refused.err, /static\/eval/)
  assert.match(refused.err, /index\.js:4/)
  assert.match(refused.err, /acceptedFindings/)
  await made.configure('[plugins]\ntrust_policy = "policy.json"\nallow = ["reader"]\nisolation = "process"\nscan = false\n')
  assert.equal((await made.exliar(['look'])).out, 'ran\n')
})

test('in audit mode a plugin’s files are told by its own word; where that cannot be, it does not start', async (t) => {
  if (!requireProgram(t, 'bwrap', 'bubblewrap')) return
  const notes = '/usr/share/doc'
  const made = await reader(t, {
    permissions: [`fs:read ${notes}`, 'fs:read /usr/share/misc'],
    run: `return { text: String(readFileSync('${notes}/bubblewrap/copyright').length > 0) }`,
    config: 'audit = ["reader"]',
  })
  await made.exliar(['plugins', 'approve', 'reader'], { answers: ['y'] })
  const ran = await made.exliar(['look'])
  assert.equal(ran.out, 'true\n', ran.err)
  const { permissions, least } = (await made.exliar(['plugins', 'permissions', 'reader', '--json'])).json()
  assert.deepEqual([permissions[0].used.by, least.unused], ['plugin', ['fs:read /usr/share/misc']])
  await made.configure(
    '[plugins]\ntrust_policy = "policy.json"\nallow = ["reader"]\nisolation = "process"\naudit = ["local/reader"]\nwaive = { reader = ["exec"] }\n',
  )
  const unaudited = await made.exliar(['look'])
  assert.match(unaudited.err, /AUDIT_UNAVAILABLE|audit mode/)
})
