import assert from 'node:assert/strict'
import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { test } from 'node:test'
import { temporaryDirectory } from '@backplane/testing'
import { verifyPolicy, type PolicyRoot } from '@backplane/trust'
import { backplane } from './fixtures/run-backplane.ts'

test('a root and a policy are made that a host takes: signed by enough of them, and only valid policies', async (t) => {
  const at = await temporaryDirectory(t)
  const file = (name: string): string => join(at, name)
  for (const name of ['ops-a', 'ops-b', 'stranger']) assert.equal((await backplane(['keygen', file(name)])).code, 0)
  const keys = ['--key', file('ops-a.pub'), file('ops-b.pub')]
  const root = await backplane(['trust', 'root', ...keys, '--threshold', '2', '--out', file('root.json')])
  assert.equal(root.code, 0, root.err)
  const many = await backplane(['trust', 'root', ...keys, '--threshold', '3', '--out', file('none.json')])
  assert.match(many.err, /TRUST_POLICY_INVALID.*threshold/s)
  await writeFile(file('trust.json'), JSON.stringify({ deny: ['evil/*'] }))
  const sign = (names: readonly string[], policy = 'trust.json'): ReturnType<typeof backplane> =>
    backplane([
      'trust',
      'sign',
      file(policy),
      '--key',
      ...names.map((name) => file(`${name}.key`)),
      '--policy-version',
      '3',
      '--out',
      file('policy.json'),
    ])
  const verified = async (): Promise<ReturnType<typeof verifyPolicy>> => {
    const [first, policy] = await Promise.all(['root.json', 'policy.json'].map((name) => readFile(file(name), 'utf8')))
    const memory = { root: JSON.parse(first ?? '') as PolicyRoot, lastVersion: 0, lastSeenMs: 0 }
    return verifyPolicy(JSON.parse(policy ?? ''), memory, Date.now())
  }
  assert.equal((await sign(['ops-a', 'ops-b'])).code, 0)
  const { policy, version } = await verified()
  assert.deepEqual([policy, version], [{ deny: ['evil/*'] }, 3])
  await sign(['ops-a', 'stranger'])
  await assert.rejects(verified(), { code: 'TRUST_POLICY_UNSIGNED' })
  await writeFile(file('wrong.json'), '{"denyy": []}')
  assert.match((await sign(['ops-a'], 'wrong.json')).err, /TRUST_POLICY_INVALID: .*denyy: is not known; did you mean "deny"/)
  await writeFile(file('twice.json'), '{"deny": [], "deny": []}')
  assert.match((await sign(['ops-a'], 'twice.json')).err, /BACKPLANE_FILE_INVALID/)
  assert.equal(
    (await backplane(['trust', 'sign', file('trust.json'), '--key', 'a', '--policy-version', '0', '--out', 'b'])).code,
    2,
  )
})
