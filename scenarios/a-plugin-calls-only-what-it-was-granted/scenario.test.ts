import assert from 'node:assert/strict'
import { mkdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { test } from 'node:test'
import { createKernel, type Runtime } from '@backplane/kernel'
import { confined, contained, trusted } from '@backplane/runtimes'
import { anything, defineProvider, unary } from '@backplane/sdk'
import { directory } from '@backplane/sources'
import { approvalQueue } from '@backplane/storage'
import { temporaryDirectory } from '@backplane/testing'

const machines = defineProvider('scenario.machines', {
  edit: unary(anything, anything, { permission: 'vm:edit', approval: (name) => `change the machine ${JSON.stringify(name)}` }),
})
const tries = defineProvider('scenario.tries', { edit: unary(anything, anything) })
const permissions = { 'vm:edit': { sentence: 'change virtual machines', risk: 'medium', reason: 'one may not start' } } as const
const modules = { '@backplane/sdk': import.meta.resolve('@backplane/sdk') }

/** Its own copy of the point says neither permission nor question: only the host's counts. */
const head = `import { anything, definePlugin, defineProvider, unary } from '@backplane/sdk'
const machines = defineProvider('scenario.machines', { edit: unary(anything, anything) })
const tries = defineProvider('scenario.tries', { edit: unary(anything, anything) })
`
const core = `${head}let edits = 0
export default definePlugin((scope) => scope.provide(machines, 'core', { edit: (name) => [name, ++edits] }))
`
const user = (name: string): string => `${head}
export default definePlugin((scope) => scope.provide(tries, '${name}', {
  edit: (name) => scope.use(machines, 'core').edit(name, { caller: 'host', may: ['vm:edit'] }).catch((error) => error.code),
}))
`

interface Folder {
  readonly id: string
  readonly code: string
  readonly contributes: object
  readonly asked?: readonly string[]
}

async function put(root: string, { id, code, contributes, asked = [] }: Folder): Promise<void> {
  const folder = join(root, 'plugins', id.replace('/', '-'))
  const manifest = { schemaVersion: 1, id, version: '1.0.0', requires: { api: '^1.0.0' }, contributes, permissions: asked }
  await mkdir(folder, { recursive: true })
  await writeFile(join(folder, 'package.json'), '{ "type": "module" }')
  await writeFile(join(folder, 'plugin.json'), JSON.stringify(manifest))
  await writeFile(join(folder, 'index.js'), code)
}

const tiers: readonly (() => Runtime)[] = [
  () => trusted({ modules }),
  () => contained({ modules }),
  () => confined({ modules, pool: { size: 0 } }),
]

for (const make of tiers) {
  const runtime = make()
  test(`${runtime.tier}: whatever a plugin says of itself, it calls only what it was granted, and asks where that is critical`, async (t) => {
    const root = await temporaryDirectory(t)
    await put(root, { id: 'acme/core', code: core, contributes: { 'scenario.machines': { core: {} } } })
    await put(root, { id: 'acme/sly', code: user('sly'), contributes: { 'scenario.tries': { sly: {} } } })
    const asked = ['vm:edit']
    await put(root, { id: 'acme/fair', code: user('fair'), contributes: { 'scenario.tries': { fair: {} } }, asked })
    using queue = approvalQueue(join(root, 'approvals.sqlite'))
    await using kernel = await createKernel({
      host: { name: 'scenario', api: '1.0.0' },
      points: [machines, tries],
      permissions,
      approvals: { desk: queue },
      sources: [directory(join(root, 'plugins'), { store: join(root, 'store'), watch: false, settleMs: 1 })],
      runtimes: [runtime],
      policy: { tier: () => runtime.tier, isolation: () => ({ floor: 'process' }), waive: () => ['*'] },
      watch: false,
    })
    assert.equal(await kernel.provider(tries, 'sly').edit('vm'), 'CALL_NOT_PERMITTED')
    assert.equal(kernel.plugins.get('acme/sly')?.denials, 1)
    assert.deepEqual(queue.list({ limit: 10 }), [], 'nobody is asked for what was not granted')
    const question = Promise.withResolvers<string>()
    kernel.events.subscribe(({ event }) => event.type === 'approval.asked' && question.resolve(event.approval))
    const editing = kernel.provider(tries, 'fair').edit('vm')
    const entry = queue.decide(await question.promise, { approved: true, by: 'ann' })?.entry
    assert.deepEqual([entry?.plugin, entry?.sentence], ['acme/fair', 'change the machine "vm"'])
    assert.deepEqual(await editing, ['vm', 1], 'and it is done once')
    const kept = kernel.plugins.get('acme/fair')?.enforcement.find(({ what }) => what === 'vm:edit')
    assert.equal(kept?.level, 'exact')
  })
}
