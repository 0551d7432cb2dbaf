import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { AuditEntry, AuditTrail } from '@backplane/kernel'
import { reloadDaemon } from './reload-daemon.ts'

interface Bed {
  readonly reload: () => Promise<void>
  /** What was done, in order. */
  readonly done: string[]
  readonly entries: AuditEntry[]
}

function bed(breaks: { readonly trust?: boolean; readonly configuration?: boolean } = {}): Bed {
  const done: string[] = []
  const entries: AuditEntry[] = []
  const step =
    (name: string, isBroken = false) =>
    async (): Promise<void> => {
      done.push(`${name} begins`)
      await Promise.resolve()
      if (isBroken) throw new Error(`${name} is broken`)
      done.push(name)
    }
  const reload = reloadDaemon({
    trust: { reload: step('trust', breaks.trust), policy: () => ({}) },
    configuration: step('configuration', breaks.configuration),
    kernel: { plugins: { refresh: step('refresh'), readmit: step('readmit') } },
    log: { warn: () => undefined },
    trail: { note: (entry) => void entries.push(entry) } as Partial<AuditTrail> as AuditTrail,
  })
  return { reload, done, entries }
}

const ends = (done: readonly string[]): readonly string[] => done.filter((name) => !name.endsWith(' begins'))

test('policy and approvals count, and what they refuse is stopped, also where the configuration cannot be read', async () => {
  const { reload, done, entries } = bed({ configuration: true })
  await assert.rejects(reload(), /configuration is broken/)
  assert.deepEqual(ends(done), ['trust', 'readmit'])
  assert.deepEqual([entries[0]?.action, entries[0]?.outcome], ['trust.reload', 'ok'])
})

test('a policy that cannot be read changes nothing, and that is written down', async () => {
  const { reload, done, entries } = bed({ trust: true })
  await assert.rejects(reload(), /trust is broken/)
  assert.deepEqual(ends(done), [])
  assert.deepEqual([entries[0]?.outcome, entries[0]?.reason], ['refused', 'trust is broken'])
})

test('two that are asked for at once are done one after the other, whatever becomes of the first', async () => {
  const { reload, done } = bed()
  await Promise.all([reload(), reload()])
  const once = ['trust', 'configuration', 'refresh', 'readmit'].flatMap((name) => [`${name} begins`, name])
  assert.deepEqual(done, [...once, ...once])
  const broken = bed({ configuration: true })
  const [, second] = await Promise.allSettled([broken.reload(), broken.reload()])
  assert.equal(second.status, 'rejected')
  assert.deepEqual(ends(broken.done), ['trust', 'readmit', 'trust', 'readmit'])
})
