import assert from 'node:assert/strict'
import { mkdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { test, type TestContext } from 'node:test'
import { backplaneHere, type Ran } from '../support/backplane.ts'
import { Hypervisord, makePlaces, type Places } from '../support/hypervisord.ts'
import { letGo, writeSlowProvider } from '../support/slow-provider.ts'

const manifest = {
  schemaVersion: 1,
  id: 'acme/tidy',
  version: '1.0.0',
  main: 'index.js',
  requires: { api: '^1.0.0' },
  contributes: { 'hypersdk.after-export': { tidy: {} } },
}

/** After each export it wants the snapshot gone that is named like the job, and says what came of that. */
const code = `import { definePlugin } from '@backplane/sdk'
import { afterExport, provider } from '@hypersdk/points'

export default definePlugin((scope) => {
  const tidy = async (snapshot_id) => {
    const slow = await scope.use(provider, 'slow').open({ type: 'slow', metadata: {} })
    try {
      await slow.deleteSnapshot({ id: 'vm/1', snapshot_id, sentence: 'do nothing at all' })
      scope.log.warn('tidied ' + snapshot_id)
    } catch (error) {
      scope.log.warn('not tidied ' + snapshot_id + ': ' + error.code + ' ' + error.details?.reason)
    }
  }
  scope.on(afterExport, 'tidy', ({ job_id }) => void tidy(job_id))
})
`

const methods = `deleteSnapshot: ({ snapshot_id }) => { scope.log.warn('deleted ' + snapshot_id); return null },`

interface Stage {
  readonly places: Places
  readonly daemon: Hypervisord
  readonly backplane: (...args: readonly string[]) => Promise<Ran>
}

async function stage(t: TestContext, more = ''): Promise<Stage> {
  const places = await makePlaces(t, `plugins: { directories: [./plugins]${more} }\n`)
  await writeSlowProvider(join(places.plugins, 'slow'), { version: '1.0.0', methods })
  const folder = join(places.plugins, 'tidy')
  await mkdir(folder)
  await writeFile(join(folder, 'plugin.json'), JSON.stringify(manifest))
  await writeFile(join(folder, 'package.json'), '{"type":"module"}')
  await writeFile(join(folder, 'index.js'), code)
  await letGo(places.control)
  const backplane: Stage['backplane'] = (...args) => backplaneHere(places, args)
  return { places, backplane, daemon: await Hypervisord.start(places) }
}

/** Exports once, and answers the number of the question that follows from it. */
async function asked({ daemon, backplane }: Stage, id: string): Promise<string> {
  await daemon.submit({ id, provider: 'slow', vm_id: 'vm/1', output_dir: id })
  let question = ''
  await daemon.until(async () => {
    const { approvals } = JSON.parse((await backplane('approvals', '--json')).out)
    question = approvals[0]?.id ?? ''
    return question !== ''
  })
  return question
}

async function decisions({ daemon }: Pick<Stage, 'daemon'>): Promise<readonly string[]> {
  const { body } = await daemon.get('/api/audit?after=0&limit=1000&action=approval.*')
  const records = body.records as readonly Record<'action' | 'outcome' | 'reason', string>[]
  return records.map(({ action, outcome, reason }) => `${action} ${outcome}${reason === undefined ? '' : `: ${reason}`}`)
}

test('a plugin waits, is denied with a reason, is let do it the next time, and loses what it asked a daemon that is killed', async (t) => {
  const s = await stage(t)
  const { daemon, backplane } = s
  const first = await asked(s, 'one')
  const listed = await backplane('approvals')
  assert.match(listed.out, /pending +acme\/tidy +delete the snapshot "one" of the machine "vm\/1"\n$/)
  assert.ok(!daemon.output.includes('deleted one'))
  assert.equal((await backplane('approvals', 'deny', first, '--reason', 'the auditors need it')).code, 0)
  await daemon.until(async () => daemon.output.includes('not tidied one: APPROVAL_DENIED the auditors need it'))
  assert.notEqual((await backplane('approvals', 'approve', first)).code, 0, 'it was decided')
  const second = await asked(s, 'two')
  assert.equal((await backplane('approvals', 'approve', second)).code, 0)
  await daemon.until(async () => daemon.output.includes('"tidied two'))
  // The two plugins log each on a way of its own.
  await daemon.until(async () => daemon.output.includes('deleted two'))
  assert.ok(!daemon.output.includes('deleted one'))
  assert.deepEqual(await decisions(s), [
    'approval.asked asked: delete the snapshot "one" of the machine "vm/1"',
    'approval.denied refused: the auditors need it',
    'approval.asked asked: delete the snapshot "two" of the machine "vm/1"',
    'approval.approved ok',
  ])
  const third = await asked(s, 'three')
  // A question is kept before it is in the log; here both are to outlive the daemon.
  await daemon.until(async () => (await decisions(s)).at(-1)?.includes('"three"') === true)
  await daemon.kill()
  const again = await Hypervisord.start(s.places)
  const shown = await backplane('approvals', 'show', third)
  assert.match(shown.out, /state +abandoned\n/)
  const late = await backplane('approvals', 'approve', third)
  assert.match(late.err, /SERVER_APPROVAL_DECIDED: .*abandoned/)
  assert.ok(!again.output.includes('deleted three'))
  assert.deepEqual((await decisions({ daemon: again })).slice(-2), [
    'approval.asked asked: delete the snapshot "three" of the machine "vm/1"',
    'approval.abandoned noted',
  ])
})

test('where the configuration demands it, exports wait for a person too', async (t) => {
  const s = await stage(t, ', approvals: { demand: [hypersdk.provider/exportVm], timeout: 5m }')
  const { daemon, backplane } = s
  const id = await asked(s, 'one')
  assert.match((await backplane('approvals')).out, /pending +host +call exportVm of hypersdk\.provider "slow"\n$/)
  assert.equal((await backplane('approvals', 'approve', id)).code, 0)
  assert.equal((await daemon.ended('one')).status, 'completed')
})

test('a demand that means nothing is a problem of the configuration', async (t) => {
  const wrong = stage(t, ', approvals: { demand: [hypersdk.provider/exportVM] }')
  await assert.rejects(wrong, /is nothing that can be asked about; did you mean "hypersdk\.provider\/exportVm"/)
})
