import assert from 'node:assert/strict'
import { test } from 'node:test'
import { describePermission, describePermissions } from './permission-sentence.ts'

const sentences: readonly (readonly [permission: string, sentence: string, risk: string])[] = [
  ['net:connect api.example.com:443', 'connect to api.example.com, port 443', 'medium'],
  ['net:connect https://api.example.com/v1', 'connect to api.example.com, port 443', 'medium'],
  ['net:connect [2001:4860:4860::8888]:53', 'connect to [2001:4860:4860::8888], port 53', 'medium'],
  ['net:connect 169.254.169.254:80', 'connect to 169.254.169.254, port 80', 'high'],
  ['net:connect localhost:5432', 'connect to localhost, port 5432', 'high'],
  ['net:connect 192.168.1.1:22', 'connect to 192.168.1.1, port 22', 'high'],
  ['net:connect ${config.endpoint}', 'connect to <config.endpoint>', 'low'],
  ['net:connect ${config.host}:443', 'connect to <config.host>, port 443', 'low'],
  ['net:connect ${config.host}.evil.example:443', 'connect to <config.host>.evil.example, port 443', 'medium'],
  ['net:connect ${config.scheme}://evil.example', 'connect to <config.scheme>://evil.example', 'medium'],
  ['fs:read /srv/images', 'read files in /srv/images', 'low'],
  ['fs:read ./cache', 'read files in ./cache', 'low'],
  ['fs:read ../other', 'read files in ../other', 'high'],
  ['fs:read /', 'read files in /', 'high'],
  ['fs:read /srv/../etc', 'read files in /srv/../etc', 'high'],
  ['fs:read ${config.directory}', 'read files in <config.directory>', 'low'],
  ['fs:read ${config.directory}/../../etc', 'read files in <config.directory>/../../etc', 'high'],
  ['fs:write /srv/images', 'create, change and delete files in /srv/images', 'medium'],
  ['fs:write /usr/local/bin', 'create, change and delete files in /usr/local/bin', 'high'],
  ['exec qemu-img', 'run qemu-img, with all this program can do', 'high'],
]

for (const [permission, sentence, risk] of sentences) {
  test(`${permission}: may ${sentence} (${risk})`, () => {
    const described = describePermission(permission)
    assert.deepEqual([described.permission, described.sentence, described.risk], [permission, sentence, risk])
    assert.ok(described.reason.length > 0)
  })
}

test('a permission that nobody can read is of high risk and says so', () => {
  assert.equal(describePermission('camera front').risk, 'high')
  assert.match(describePermission('').sentence, /does not know/)
})

test("a permission of the host's own is read as the host says it", () => {
  const kind = { sentence: 'change virtual machines', risk: 'medium', reason: 'one may not start' } as const
  assert.deepEqual(describePermission('vm:edit', { 'vm:edit': kind }), { permission: 'vm:edit', ...kind })
  assert.equal(describePermission('vm:edit').risk, 'high')
  assert.equal(describePermission('toString', { 'vm:edit': kind }).risk, 'high')
})

test('the riskiest come first, equals as they were written', () => {
  const order = describePermissions(['fs:read /srv', 'net:connect b.example:1', 'exec a', 'net:connect a.example:1'])
  assert.deepEqual(
    order.map(({ permission }) => permission),
    ['exec a', 'net:connect b.example:1', 'net:connect a.example:1', 'fs:read /srv'],
  )
})
