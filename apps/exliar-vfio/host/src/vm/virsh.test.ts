import assert from 'node:assert/strict'
import { test, type TestContext } from 'node:test'
import { withKvmHidden } from '@exliar-vfio/points'
import { requireProgram } from '@backplane/testing'
import { editDomain } from './edit-domain.ts'
import { readVmConfig } from './vm-config.ts'
import { connectVirsh } from './virsh.ts'
import { readXml } from './xml-document.ts'

/** libvirt's test driver forgets everything between two commands, so it is what errors and reading are tried with. */
const testDriver = 'test:///default'

function requireVirsh(t: TestContext): boolean {
  return requireProgram(t, 'virsh', 'libvirt-clients')
}

test('machines are listed, read, and told what they do', async (t) => {
  if (!requireVirsh(t)) return
  const virsh = connectVirsh({ uri: testDriver })
  assert.match(await virsh.version(), /^\d+\.\d+\.\d+$/)
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
  await assert.rejects(connectVirsh({ uri: testDriver, program: '/nonesuch/virsh' }).list(), { code: 'VIRSH_MISSING' })
  await assert.rejects(virsh.list(AbortSignal.abort()), { name: 'AbortError' })
})
