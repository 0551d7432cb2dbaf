import assert from 'node:assert/strict'
import { test, type TestContext } from 'node:test'
import type { Admission, AuditRecord } from '@backplane/kernel'
import { anything, defineProvider, unary, type Scope } from '@backplane/sdk'
import { testKernel, type TestKernel, type TestKernelOptions } from '@backplane/testing'
import { auditBed } from '../fixtures/audit-bed.ts'
import { approvalQueue, auditAdmission, auditKernel, callEntry, type AuditKernelOptions, type AuditLog } from '../index.ts'

const echo = defineProvider('demo.echo', { say: unary(anything, anything) })

interface Watched extends TestKernel {
  readonly scope: Scope
  readonly log: AuditLog
  /** Everything that was written, oldest first. */
  readonly written: () => Promise<readonly AuditRecord[]>
}

async function watched(
  t: TestContext,
  options: AuditKernelOptions = {},
  more: (log: AuditLog) => TestKernelOptions = () => ({}),
): Promise<Watched> {
  const log = await (await auditBed(t)).open()
  const given = Promise.withResolvers<Scope>()
  const plugin = {
    manifest: { id: 'demo/one', contributes: { 'demo.echo': { one: {} } } },
    setup: (scope: Scope) => {
      scope.provide(echo, 'one', { say: (value) => value })
      given.resolve(scope)
    },
  }
  const kernel = await testKernel({ points: [echo], plugins: [plugin], ...more(log) })
  t.after(() => kernel[Symbol.asyncDispose]())
  const watching = auditKernel(kernel.kernel.events, log, options)
  t.after(() => watching[Symbol.dispose]())
  await kernel.kernel.plugins.start('demo/one')
  const written = async (): Promise<readonly AuditRecord[]> => {
    await log.append({ actor: { kind: 'host', name: 'test' }, action: 'test.end', subject: '', outcome: 'noted' })
    const { records } = await log.page({ after: 0, limit: 1_000 })
    return records.filter(({ action }) => action !== 'test.end')
  }
  return { ...kernel, scope: await given.promise, log, written }
}

const line = ({ actor, action, subject, outcome }: AuditRecord): string => [actor.name, action, subject, outcome].join(' ')

test('starts and ends of plugins are written down, also those before the log was listening', async (t) => {
  const { kernel, written } = await watched(t)
  await kernel.plugins.disable('demo/one', 'too loud')
  const records = await written()
  assert.deepEqual(
    records.map(line),
    ['host host.start host noted', 'host plugin.active demo/one 0.0.0 noted', 'host plugin.disabled demo/one 0.0.0 noted'].map(
      (text) => text.replace('0.0.0', records[1]?.subject.split(' ')[1] ?? ''),
    ),
  )
  assert.deepEqual([records[2]?.plugin, records[2]?.reason], ['demo/one', 'too loud'])
})

test('secrets read and asked for, permissions, egress and limits are written down with the plugin that did it, never a value', async (t) => {
  const canary = 'canary-0123456789'
  const values: Readonly<Record<string, string>> = { mine: canary }
  const { scope, runtime, clock, written } = await watched(t, {}, () => ({
    secrets: { resolve: async (name) => values[name] },
    settings: () => ({ config: { a: '${secret:mine}', b: '${secret:gone}' } }),
  }))
  assert.equal(await scope.secrets.get('mine'), canary)
  await assert.rejects(scope.secrets.get('gone'))
  await assert.rejects(scope.secrets.get('theirs'))
  runtime.violate('demo/one', { kind: 'grant', permission: 'exec sh', detail: `tried with ${canary}` })
  runtime.violate('demo/one', { kind: 'grant', permission: 'net:connect evil.example:443', detail: 'it is not granted' })
  runtime.violate('demo/one', { kind: 'limit', limit: 'output', detail: 'too much' })
  await clock.advance(0)
  const records = (await written()).slice(2)
  assert.deepEqual(records.map(line), [
    'demo/one secret.read mine ok',
    'demo/one secret.read gone failed',
    'demo/one permission.denied secret theirs refused',
    'demo/one permission.denied exec sh refused',
    'demo/one egress.denied net:connect evil.example:443 refused',
    'demo/one limit.exceeded limit output refused',
  ])
  assert.ok(!JSON.stringify(records).includes('canary'))
})

test('reads of secrets are left out where that is wanted', async (t) => {
  const { scope, written } = await watched(t, { secretReads: false }, () => ({
    secrets: { resolve: async () => 'value' },
    settings: () => ({ secrets: ['*'] }),
  }))
  await scope.secrets.get('any')
  assert.ok((await written()).every(({ action }) => action !== 'secret.read'))
})

test('with all operations every call is written down, without what was said', async (t) => {
  const { kernel, written } = await watched(t, { all: true }, (log) => ({ onCall: (call) => log.note(callEntry(call)) }))
  await kernel.provider(echo, 'one').say('words nobody else is to know')
  const call = (await written()).at(-1)
  assert.deepEqual(
    [call?.action, call?.subject, call?.plugin, call?.outcome],
    ['call.made', 'demo.echo one say', 'demo/one', 'ok'],
  )
  assert.ok(!JSON.stringify(call).includes('words'))
})

test('each verdict is written down with its reason and the digest it was about', async (t) => {
  let answer: Awaited<ReturnType<Admission['admit']>> | Error = {
    ok: true,
    trust: { level: 'signed', publisher: 'acme', waived: ['it is new'] },
  }
  const admission: Admission = { admit: async () => (answer instanceof Error ? Promise.reject(answer) : answer) }
  const { kernel, written } = await watched(t, {}, (log) => ({ admission: auditAdmission(admission, log) }))
  answer = { ok: false, reason: 'its key was revoked', fix: 'Remove it.' }
  await kernel.plugins.reload('demo/one')
  answer = new Error('the policy cannot be read')
  await kernel.plugins.reload('demo/one')
  const verdicts = (await written()).filter(({ action }) => action === 'plugin.admit')
  assert.deepEqual(
    verdicts.map(({ outcome, reason }) => [outcome, reason]),
    [
      ['ok', 'signed; acme; it is new'],
      ['refused', 'its key was revoked'],
      ['refused', 'the policy cannot be read'],
    ],
  )
  assert.match(String(verdicts[0]?.details?.['digest']), /^sha256:/)
})

test('what a plugin wants to do, and who decided it, are two records of one question', async (t) => {
  const disks = defineProvider('demo.disks', {
    wipe: unary(anything, anything, { approval: (disk) => `wipe the disk ${String(disk)}` }),
  })
  const queue = approvalQueue(':memory:')
  t.after(() => queue[Symbol.dispose]())
  const core = {
    manifest: { id: 'demo/core', contributes: { 'demo.disks': { core: {} } } },
    setup: (scope: Scope) => scope.provide(disks, 'core', { wipe: (disk) => disk }),
  }
  const { kernel, scope, event, source, written } = await watched(t, {}, () => ({
    points: [echo, disks],
    approvals: { desk: queue, demanded: ({ caller }) => caller === 'host' },
  }))
  source.put(core)
  await kernel.plugins.refresh()
  const denied = scope.use(disks, 'core').wipe('sda')
  const { approval } = await event('approval.asked')
  queue.decide(approval, { approved: false, by: 'ann', reason: 'in use' })
  await assert.rejects(denied, { code: 'APPROVAL_DENIED', message: /in use/ })
  const own = kernel.provider(disks, 'core').wipe('sdb')
  const asked = await event('approval.asked', ({ plugin }) => plugin === 'host')
  queue.decide(asked.approval, { approved: true, by: 'bob' })
  assert.equal(await own, 'sdb')
  const records = (await written()).filter(({ action }) => action.startsWith('approval.'))
  assert.deepEqual(records.map(line), [
    'demo/one approval.asked demo.disks core wipe asked',
    'ann approval.denied demo.disks core wipe refused',
    'host approval.asked demo.disks core wipe asked',
    'bob approval.approved demo.disks core wipe ok',
  ])
  assert.deepEqual(
    records.map(({ plugin, trace, reason }) => [plugin, trace === approval, reason]),
    [
      ['demo/one', true, 'wipe the disk sda'],
      ['demo/one', true, 'in use'],
      [undefined, false, 'wipe the disk sdb'],
      [undefined, false, undefined],
    ],
  )
})
