import assert from 'node:assert/strict'
import { test } from 'node:test'
import { HostileSubject } from '../fixtures/hostile-subject.ts'
import { hostModules } from '../fixtures/host-modules.ts'
import { inSandbox } from '../fixtures/in-sandbox.ts'
import { confined } from './confined.ts'

const tiers = [
  ['confined', () => confined({ modules: hostModules })],
  ['confined in a sandbox', () => inSandbox(confined({ modules: hostModules }))],
] as const

for (const [name, make] of tiers) {
  test(`${name}: what Node denies a plugin is told as a denial of its grants, also where the plugin keeps it to itself`, async (t) => {
    const subject = await HostileSubject.make(t, make())
    const instance = await subject.start()
    assert.deepEqual(subject.host.violations, [], 'nothing of its start is one')
    const path = subject.path('secret')
    const { code } = await subject.attack(instance, 'read', { path })
    assert.equal(code, 'ERR_ACCESS_DENIED')
    await instance.ping(10_000)
    assert.deepEqual(subject.host.violations[0], {
      kind: 'grant',
      permission: `fs:read ${path}`,
      detail: "denied by Node's permission model, by the plugin's own word",
    })
  })
}
