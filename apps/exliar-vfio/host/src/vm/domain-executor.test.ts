import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { chmodSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { withKvmHidden } from '@exliar-vfio/points'
import { temporaryDirectory } from '@backplane/testing'
import { apply } from '../changes/apply.ts'
import { cleanupScriptPath } from '../changes/open-changes.ts'
import type { DefineDomainStep } from '../changes/step.ts'
import { cleanup, recover } from '../changes/undo.ts'
import { editDomain } from './edit-domain.ts'
import { domainChanges } from './fixtures/domain-changes.ts'
import { rememberedMachine } from './fixtures/remembered-machine.ts'
import { readVmConfig } from './vm-config.ts'
import { readXml } from './xml-document.ts'

const was = `<domain type='kvm'>
  <name>win</name>
  <uuid>8f1d1c9e-8d7a-4d3a-9a55-0f3a2f8e5c11</uuid>
  <features>
    <acpi/>
  </features>
  <devices/>
</domain>
`
const config = readVmConfig(readXml(was), () => undefined)
const { uuid } = config
const xml = editDomain(was, withKvmHidden(config))
const step: DefineDomainStep = {
  kind: 'define-domain',
  connection: 'memory:///',
  domain: 'win',
  was,
  xml,
  cause: { plugin: 'nvidia-handler', hook: 'exliar.pre-vm-start' },
  summary: 'change the machine win',
  records: 'domain-defined',
}
const application = { title: 'a start', stages: [{ subject: step, steps: [step] }] }

test('what somebody else changed before is not overwritten, and named', async (t) => {
  const virsh = rememberedMachine(was.replace('<acpi/>', '<acpi/><apic/>'))
  const { define } = await domainChanges(t, virsh)
  await assert.rejects(define(step, 'restore'), { code: 'VM_CHANGED_MEANWHILE', message: /\/features\/apic/ })
  assert.match(virsh.now, /apic/)
})

test('what somebody else changed after is kept, and named with the difference', async (t) => {
  const virsh = rememberedMachine(was)
  const changes = await domainChanges(t, virsh)
  await changes.define(step, 'restore')
  assert.equal(virsh.now, xml)
  virsh.now = xml.replace('<acpi/>', '<acpi/><pae/>')
  await using open = await changes.open()
  const [undone] = (await cleanup(open)).changes
  assert.ok(undone?.end.kind === 'kept')
  assert.match(undone.end.reason, /win was changed by somebody else since: \/features\/pae/)
  assert.match(undone.end.diff ?? '', /<pae\/>/)
  virsh.now = xml
  assert.equal((await cleanup(open)).complete, true)
  assert.equal(virsh.now, was)
})

test('wherever it was killed, recovery looks at libvirt and not at the journal', async (t) => {
  for (const point of ['the step was written down', 'the step was done', 'the step was written down as done']) {
    const virsh = rememberedMachine(was)
    const changes = await domainChanges(t, virsh)
    {
      await using killed = await changes.open()
      const { journal, ground, executors } = killed
      journal.append({ type: 'begun', run: 1, title: 'a start' })
      const executor = executors['define-domain']
      assert.ok(executor)
      await killed.begin()
      const before = await executor.look(step, ground)
      journal.append({ type: 'doing', run: 1, change: 1, step, before })
      const performed = point === 'the step was written down' ? undefined : await executor.perform(step, before, ground)
      if (point === 'the step was written down as done')
        journal.append({ type: 'done', change: 1, after: performed?.after, notes: [] })
    }
    await using after = await changes.open()
    const report = await recover(after)
    assert.deepEqual([report?.complete, virsh.now], [true, was], point)
  }
})

test('a machine that is gone, or that libvirt does not give back as it was, is said so', async (t) => {
  const virsh = rememberedMachine(was)
  const changes = await domainChanges(t, virsh)
  await changes.define(step, 'restore')
  virsh.define = () => Promise.resolve()
  await assert.rejects(changes.withdraw(uuid), /win is not what it was after it was defined again: \/features\/kvm/)
})

test('the cleanup script defines the old one again, unless somebody else changed it', async (t) => {
  const virsh = rememberedMachine(was)
  const changes = await domainChanges(t, virsh)
  {
    await using open = await changes.open()
    await apply(open, application)
    await apply(open, { ...application, stages: [] })
  }
  const programs = await temporaryDirectory(t)
  mkdirSync(join(programs, 'bin'))
  const now = join(programs, 'now.xml')
  const program = join(programs, 'bin', 'virsh')
  writeFileSync(program, `#!/bin/sh\nif [ "$3" = define ]; then cp "$4" '${now}'; else cat '${now}'; fi\n`)
  chmodSync(program, 0o755)
  const script = readFileSync(changes.tree.hostPath(cleanupScriptPath), 'utf8')
    .replace('root=${1:-}', `root=`)
    .replace('state=$root/', `state=${changes.tree.root}/`)
  const run = (): string => {
    const env = { PATH: `${join(programs, 'bin')}:/usr/bin:/bin` }
    return spawnSync('sh', { input: script, env, encoding: 'utf8' }).stdout
  }
  writeFileSync(now, xml.replace('<acpi/>', ''))
  assert.match(run(), /kept: the machine win/)
  writeFileSync(now, xml)
  assert.doesNotMatch(run(), /kept: the machine win/)
  assert.equal(readFileSync(now, 'utf8'), was)
})
