import assert from 'node:assert/strict'
import { test, type TestContext } from 'node:test'
import { withKvmHidden } from '@exliar-vfio/points'
import { requireProgram } from '@backplane/testing'
import { domainDefiner, type DefineDomain } from './define-domain.ts'
import { editDomain } from './edit-domain.ts'
import { prepareMachine, startMachine, withdrawAfterRun, type PreStart, type StartOptions } from './start-machine.ts'
import { readVmConfig } from './vm-config.ts'
import { connectVirsh, type Virsh } from './virsh.ts'
import { readXml } from './xml-document.ts'

/** libvirt's test driver forgets everything between two commands, so it is what errors and reading are tried with. */
const testDriver = 'test:///default'

function requireVirsh(t: TestContext): boolean {
  return requireProgram(t, 'virsh', 'libvirt-clients')
}

test('machines are listed, read, and told what they do', async (t) => {
  if (!requireVirsh(t)) return
  const virsh = connectVirsh({ uri: testDriver })
  const [machine] = await virsh.list()
  assert.equal(machine?.name, 'test')
  const config = readVmConfig(readXml(await virsh.dumpXml('test')), () => undefined)
  assert.equal(config.uuid, machine.uuid)
  assert.equal(config.hypervisor, 'test')
  assert.equal(config.memory_mib, 8192)
  assert.deepEqual(await virsh.state(machine.uuid), { state: 'running', reason: 'unknown' })
  await virsh.shutdown(machine.uuid)
  await virsh.destroy(machine.uuid)
  const xml = await virsh.dumpXml('test')
  await virsh.define(editDomain(xml, withKvmHidden(config)))
})

test('what fails says which error it is', async (t) => {
  if (!requireVirsh(t)) return
  const virsh = connectVirsh({ uri: testDriver })
  await assert.rejects(virsh.dumpXml('nonesuch'), { code: 'VM_UNKNOWN' })
  await assert.rejects(virsh.dumpXml('--xpath=/'), { code: 'VM_UNKNOWN' })
  await assert.rejects(virsh.dumpXml('1'), { code: 'VM_UNKNOWN' }, 'a number is a name too, not the id of what runs')
  await assert.rejects(virsh.start('6695eb01-f6a4-8304-79aa-97f2502e193f'), { code: 'VIRSH_FAILED', message: /already active/ })
  const invalid = (await virsh.dumpXml('test')).replace('</domain>', '<nonesuch/></domain>')
  await assert.rejects(virsh.define(invalid), { code: 'VIRSH_FAILED', message: /XML document failed to validate/ })
  await assert.rejects(connectVirsh({ uri: 'qemu:///nonesuch' }).list(), { code: 'VIRSH_UNREACHABLE' })
  await assert.rejects(connectVirsh({ uri: testDriver, timeoutMs: 1 }).list(), { code: 'VIRSH_TIMEOUT' })
  await assert.rejects(virsh.list(AbortSignal.abort()), { name: 'AbortError' })
})

/** libvirt as one machine remembers it, without a daemon: what is defined is kept, and checked by nobody. */
function remembered(
  xml: string,
  state = 'shut off',
  reason = 'destroyed',
): Virsh & { now: string; started: boolean; fail?: Error } {
  const memory: ReturnType<typeof remembered> = {
    uri: 'memory',
    now: xml,
    started: false,
    list: () => Promise.resolve([]),
    dumpXml: () => Promise.resolve(memory.now),
    define: (next) => Promise.resolve(void (memory.now = next)),
    state: () => Promise.resolve({ state: memory.started ? 'running' : state, reason }),
    start: () => (memory.fail === undefined ? Promise.resolve(void (memory.started = true)) : Promise.reject(memory.fail)),
    shutdown: () => Promise.resolve(),
    destroy: () => Promise.resolve(void (memory.started = false)),
  }
  return memory
}

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
const hiding: PreStart = (config) =>
  Promise.resolve({ config: withKvmHidden(config), changes: [{ plugin: 'nvidia-handler', fields: ['features.kvm_hidden'] }] })

function options(virsh: Virsh, given: Partial<StartOptions> = {}): StartOptions {
  const definer = domainDefiner(virsh)
  const facts = (): undefined => undefined
  return { virsh, facts, preStart: hiding, show: () => Promise.resolve(), define: definer.do, withdraw: definer.undo, ...given }
}

test('a start shows the change without passwords, defines it with them, and gives everything back afterwards', async () => {
  const virsh = remembered(xml)
  const shown: string[] = []
  const { step, changes } = await startMachine(
    'win',
    options(virsh, { show: ({ diff }) => Promise.resolve(void shown.push(`${virsh.now === xml} ${diff}`)) }),
  )
  assert.ok(step)
  assert.equal(shown.length, 1)
  assert.match(shown[0] ?? '', /^true /, 'shown before it is defined')
  assert.match(shown[0] ?? '', /\+ {6}<hidden state='on'\/>/)
  assert.ok(!(shown[0] ?? '').includes('geheim'))
  assert.ok(virsh.now.includes('geheim'))
  assert.deepEqual(changes, [{ plugin: 'nvidia-handler', fields: ['features.kvm_hidden'] }])
  const withdraw = domainDefiner(virsh).undo
  assert.equal(await withdrawAfterRun({ virsh, step, withdraw }), false, 'a machine that runs keeps it')
  await virsh.destroy('')
  assert.equal(await withdrawAfterRun({ virsh, step, withdraw }), true)
  assert.equal(virsh.now, xml)
})

test('a veto stops the start before anything is defined', async () => {
  const virsh = remembered(xml)
  const no = new Error('no')
  await assert.rejects(startMachine('win', options(virsh, { preStart: () => Promise.reject(no) })), no)
  await assert.rejects(startMachine('win', options(virsh, { show: () => Promise.reject(no) })), no)
  assert.equal(virsh.now, xml)
  assert.equal(virsh.started, false)
})

test('a machine that does not start has its old configuration again, unless it was to be kept', async () => {
  const virsh = remembered(xml)
  virsh.fail = new Error('no memory')
  await assert.rejects(startMachine('win', options(virsh)), virsh.fail)
  assert.equal(virsh.now, xml)
  await assert.rejects(startMachine('win', options(virsh, { persist: 'keep' })), virsh.fail)
  assert.match(virsh.now, /hidden/)
})

test('a machine that runs, or would go on from saved memory, is not prepared', async () => {
  await assert.rejects(prepareMachine('win', options(remembered(xml, 'running', 'booted'))), { code: 'VM_NOT_STOPPED' })
  await assert.rejects(prepareMachine('win', options(remembered(xml, 'shut off', 'saved'))), { code: 'VM_START_REFUSED' })
  const unchanged: PreStart = (config) => Promise.resolve({ config, changes: [] })
  const saved = remembered(xml, 'shut off', 'saved')
  const { step, diff } = await prepareMachine('win', options(saved, { preStart: unchanged }))
  assert.deepEqual([step, diff], [undefined, ''])
})

test('what somebody else changed is never overwritten, and named', async () => {
  const config = readVmConfig(readXml(xml), () => undefined)
  const step: DefineDomain = { kind: 'define-domain', name: 'win', before: xml, after: editDomain(xml, withKvmHidden(config)) }
  const foreign = step.after.replace('<acpi/>', '<acpi/><apic/>')
  const virsh = remembered(xml)
  const definer = domainDefiner(virsh)
  assert.deepEqual(await definer.inspect(step), { kind: 'before' })
  await definer.do(step)
  assert.deepEqual(await definer.inspect(step), { kind: 'after' })
  assert.equal(await definer.done(step), true)
  await definer.do(step)
  virsh.now = foreign
  assert.deepEqual(await definer.inspect(step), { kind: 'foreign', what: '/features/apic' })
  await assert.rejects(definer.undo(step), { code: 'VM_CHANGED_MEANWHILE', message: /\/features\/apic/ })
  await assert.rejects(definer.do(step), { code: 'VM_CHANGED_MEANWHILE' })
  assert.equal(virsh.now, foreign)
  virsh.now = step.after
  await definer.undo(step)
  assert.equal(virsh.now, xml)
  await definer.undo(step)
})

test('a machine that is gone, or that libvirt does not give back as it was, is said so', async (t) => {
  if (!requireVirsh(t)) return
  const step: DefineDomain = { kind: 'define-domain', name: 'nonesuch', before: xml, after: xml.replace('<acpi/>', '') }
  const definer = domainDefiner(connectVirsh({ uri: testDriver }))
  await assert.rejects(definer.undo(step), { code: 'VM_CHANGED_MEANWHILE', message: /it is gone/ })
  const stubborn = remembered(step.after)
  await assert.rejects(domainDefiner({ ...stubborn, define: () => Promise.resolve() }).undo(step), {
    code: 'VM_CHANGED_MEANWHILE',
  })
})
