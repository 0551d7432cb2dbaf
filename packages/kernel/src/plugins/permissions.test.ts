import assert from 'node:assert/strict'
import { test } from 'node:test'
import { fillPlaces, grantsOf, parsePermission } from './permissions.ts'

const grants = (permissions: readonly string[], variables: Readonly<Record<string, unknown>> = {}): ReturnType<typeof grantsOf> =>
  grantsOf({ plugin: 'demo/it', permissions, vocabulary: {}, variables, dataDirectory: '/data/it', added: undefined })

test('paths are absolute and plain: relative ones belong to the data directory of the plugin', () => {
  const { fsRead, fsWrite } = grants(['fs:read /a/../b/', 'fs:read ./x', 'fs:read x/./y', 'fs:write /c d'])
  assert.deepEqual(fsRead, ['/b', '/data/it/x', '/data/it/x/y'])
  assert.deepEqual(fsWrite, ['/c d'])
})

test('a star stands for every member, several places for every combination, a place without a value for nothing', () => {
  const variables = { instances: { a: { dir: '/a' }, b: { dir: '/b' }, c: { dir: '' }, d: {} }, list: ['x', 'y'], n: 7, o: {} }
  assert.deepEqual(fillPlaces('${instances.*.dir}/${list.*}', variables), ['/a/x', '/a/y', '/b/x', '/b/y'])
  assert.deepEqual(fillPlaces('p${n}', variables), ['p7'])
  for (const place of ['${gone}', '${o}', '${list}', '${toString}', '${list.length}', '${__proto__.x}']) {
    assert.deepEqual(
      fillPlaces(place, variables).filter((text) => text !== '2'),
      [],
      place,
    )
  }
})

test('what a value holds is not filled again', () => {
  assert.deepEqual(fillPlaces('${a}', { a: '${b}', b: 'x' }), ['${b}'])
})

test('more values than anyone means end the filling', () => {
  const many = Object.fromEntries(Array.from({ length: 2_000 }, (_, at) => [`k${at}`, `v${at}`]))
  assert.ok(fillPlaces('${many.*}', { many }).length <= 1_001)
})

test('a connection is host and port; URLs have known ports', () => {
  const wanted = [
    'net:connect https://api.example.org/x',
    'net:connect http://a:8080',
    'net:connect [::1]:53',
    'net:connect ssh://h',
    'net:connect db.local:5432',
  ]
  assert.deepEqual(grants(wanted).net, ['api.example.org:443', 'a:8080', '[::1]:53', 'h:22', 'db.local:5432'])
  for (const bad of ['example.org', 'gopher://x', 'a b:1', 'http://', '*:443', 'host:123456']) {
    assert.throws(() => grants([`net:connect ${bad}`]), { code: 'PERMISSION_INVALID' }, bad)
  }
})

test('a program is named by its name alone', () => {
  assert.deepEqual(grants(['exec qemu-img', 'exec qemu-img']).exec, ['qemu-img'])
  for (const bad of ['/bin/sh', '../x', 'sh -c x', '$(x)'])
    assert.throws(() => grants([`exec ${bad}`]), { code: 'PERMISSION_INVALID' }, bad)
})

test('a NUL in a path is refused wherever it came from', () => {
  assert.throws(() => grants(['fs:read ${p}'], { p: '/a\0b' }), { code: 'PERMISSION_INVALID', message: /NUL/ })
})

test('verb and argument are needed', () => {
  assert.deepEqual(parsePermission('demo/it', 'fs:read  /a b ', {}), { verb: 'fs:read', argument: '/a b' })
  for (const bad of ['exec', 'exec ', 'fs:remove /x', ''])
    assert.throws(() => parsePermission('demo/it', bad, {}), { code: 'PERMISSION_INVALID' })
})
