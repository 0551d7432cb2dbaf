import assert from 'node:assert/strict'
import { existsSync, mkdirSync, symlinkSync } from 'node:fs'
import { test, type TestContext } from 'node:test'
import { withKvmHidden } from '@exliar-vfio/points'
import { apply } from '../changes/apply.ts'
import { recordedChanges } from '../changes/recorded-changes.ts'
import { cleanup } from '../changes/undo.ts'
import { domainChanges } from './fixtures/domain-changes.ts'
import { rememberedMachine, type RememberedMachine } from './fixtures/remembered-machine.ts'
import { prepareMachine, startMachine, withdrawAfterRun, type PreStart, type StartOptions } from './start-machine.ts'
import { pendingWithdrawals } from './through-journal.ts'

const xml = `<domain type='kvm'>
  <name>win</name>
  <uuid>8f1d1c9e-8d7a-4d3a-9a55-0f3a2f8e5c11</uuid>
  <features>
    <acpi/>
  </features>
  <devices>
    <graphics type='vnc' passwd='geheim'/>
  </devices>
</domain>
`
const changes = [{ plugin: 'nvidia-handler', fields: ['features.kvm_hidden'] }]
const preStart: PreStart = (config) => Promise.resolve({ config: withKvmHidden(config), changes })

async function options(t: TestContext, virsh: RememberedMachine): Promise<StartOptions> {
  const { define, withdraw } = await domainChanges(t, virsh)
  return { virsh, facts: () => undefined, preStart, show: () => Promise.resolve(), define, withdraw }
}

test('a start shows the change without passwords, defines it with them, and gives everything back afterwards', async (t) => {
  const virsh = rememberedMachine(xml)
  const shown: string[] = []
  const given = await options(t, virsh)
  const show: StartOptions['show'] = ({ diff }) => Promise.resolve(void shown.push(virsh.now === xml ? diff : 'too late'))
  const { step, uuid } = await startMachine('win', { ...given, show })
  assert.ok(step)
  assert.equal(shown.length, 1)
  assert.match(shown[0] ?? '', /\+ {6}<hidden state='on'\/>/)
  assert.ok(!(shown[0] ?? '').includes('geheim'))
  assert.ok(virsh.now.includes('geheim'))
  assert.deepEqual(step.cause, { plugin: 'nvidia-handler', hook: 'exliar.pre-vm-start' })
  const { withdraw } = given
  assert.equal(await withdrawAfterRun({ virsh, uuid, withdraw }), false, 'a machine that runs keeps it')
  await virsh.destroy('')
  assert.equal(await withdrawAfterRun({ virsh, uuid, withdraw }), true)
  assert.equal(virsh.now, xml)
  assert.equal(await withdrawAfterRun({ virsh, uuid, withdraw }), true, 'once is enough')
})

test('until it is taken back, the journal and a file say what is to be; what is kept stays in the journal', async (t) => {
  const virsh = rememberedMachine(xml)
  const { define, withdraw, open, tree } = await domainChanges(t, virsh)
  const given = { ...(await options(t, virsh)), define, withdraw }
  const { uuid } = await startMachine('win', given)
  const directory = tree.hostPath('/run')
  assert.deepEqual(await pendingWithdrawals(directory), [uuid])
  virsh.now = virsh.now.replace('<acpi/>', '')
  await virsh.destroy(uuid)
  await assert.rejects(withdrawAfterRun({ virsh, uuid, withdraw }), { code: 'VM_CHANGED_MEANWHILE' })
  assert.deepEqual(await pendingWithdrawals(directory), [])
  await using opened = await open()
  assert.deepEqual(
    recordedChanges(opened.journal).map(({ plugin, state }) => [plugin, state]),
    [['nvidia-handler', 'kept']],
  )
})

test('once a cleanup took the change back, ending the run takes nothing else back, whatever was applied since', async (t) => {
  const virsh = rememberedMachine(xml)
  const { define, withdraw, open, tree } = await domainChanges(t, virsh)
  const { uuid } = await startMachine('win', { ...(await options(t, virsh)), define, withdraw })
  await virsh.destroy(uuid)
  {
    await using opened = await open()
    assert.equal((await cleanup(opened)).complete, true)
  }
  {
    await using opened = await open()
    const common = { cause: null, summary: 'of somebody else', records: 'file-modified' } as const
    const step = { kind: 'write-file', path: '/var/other', content: Buffer.from('kept'), ...common } as const
    assert.equal((await apply(opened, { title: 'another', stages: [{ subject: null, steps: [step] }] })).kind, 'applied')
  }
  assert.equal(await withdrawAfterRun({ virsh, uuid, withdraw }), true)
  assert.equal(tree.readText('/var/other'), 'kept')
  assert.deepEqual(await pendingWithdrawals(tree.hostPath('/run')), [])
})

test('what is to be taken back is remembered in a file of its own, not where a link leads', async (t) => {
  const virsh = rememberedMachine(xml)
  const { define, withdraw, tree } = await domainChanges(t, virsh)
  mkdirSync(tree.hostPath('/run'))
  const outside = tree.hostPath('/outside')
  symlinkSync(outside, tree.hostPath('/run/8f1d1c9e-8d7a-4d3a-9a55-0f3a2f8e5c11.withdraw.json.new'))
  await startMachine('win', { ...(await options(t, virsh)), define, withdraw })
  assert.equal(existsSync(outside), false)
})

test('a veto stops the start before anything is defined', async (t) => {
  const virsh = rememberedMachine(xml)
  const no = new Error('no')
  const given = await options(t, virsh)
  await assert.rejects(startMachine('win', { ...given, preStart: () => Promise.reject(no) }), no)
  await assert.rejects(startMachine('win', { ...given, show: () => Promise.reject(no) }), no)
  assert.deepEqual([virsh.now, virsh.isRunning], [xml, false])
})

test('a machine that does not start has its old configuration again, unless it was to be kept', async (t) => {
  const virsh = rememberedMachine(xml)
  const failure = new Error('no memory')
  virsh.failure = failure
  const given = await options(t, virsh)
  await assert.rejects(startMachine('win', given), failure)
  assert.equal(virsh.now, xml)
  await assert.rejects(startMachine('win', { ...given, persist: 'keep' }), failure)
  assert.match(virsh.now, /hidden/)
})

test('a machine that runs, or would go on from saved memory, is not prepared', async (t) => {
  const given = await options(t, rememberedMachine(xml))
  const running = rememberedMachine(xml, 'running', 'booted')
  await assert.rejects(prepareMachine('win', { ...given, virsh: running }), { code: 'VM_NOT_STOPPED' })
  const saved = rememberedMachine(xml, 'shut off', 'saved')
  await assert.rejects(prepareMachine('win', { ...given, virsh: saved }), { code: 'VM_START_REFUSED' })
  const unchanged: PreStart = (config) => Promise.resolve({ config, changes: [] })
  const { step, diff } = await prepareMachine('win', { ...given, virsh: saved, preStart: unchanged })
  assert.deepEqual([step, diff], [undefined, ''])
})
