import assert from 'node:assert/strict'
import { test } from 'node:test'
import * as fc from 'fast-check'
import { kinds, link, type Linked } from './fixtures/ends.ts'
import { rpcErrors } from './index.ts'

const factor = Number(process.env['FUZZ_FACTOR'] ?? 1)
const bytes = fc.uint8Array({ maxLength: 40 })
const json = fc.jsonValue({ maxDepth: 5 }).filter((value) => !JSON.stringify(value).includes('__proto__'))
const legal = fc.oneof(
  json,
  bytes,
  fc.array(fc.oneof(json, bytes), { maxLength: 6 }),
  fc.dictionary(
    fc.string().filter((key) => key !== '__proto__'),
    fc.oneof(json, bytes),
    { maxKeys: 6 },
  ),
)

/** JSON has no negative zero and no null prototype; everything else must be the same. */
function normal(value: unknown): unknown {
  if (value instanceof Uint8Array) return Uint8Array.from(value)
  if (Array.isArray(value)) return value.map(normal)
  if (typeof value === 'object' && value !== null)
    return Object.fromEntries(Object.entries(value).map(([key, one]) => [key, normal(one)]))
  return value === 0 ? 0 : value
}

const rawJson = Reflect.get(JSON, 'rawJSON') as (text: string) => unknown

test('every legal value is the same at the other end, over both channels', async () => {
  for (const kind of kinds) {
    await using ends = await link(kind, { far: { call: (_target, value) => value } })
    await fc.assert(
      fc.asyncProperty(legal, async (value) => {
        const before = normal(value)
        assert.deepEqual(normal(await ends.near.call('echo', value)), before)
      }),
      { numRuns: 300 * factor },
    )
  }
})

async function outcome(ends: Linked, value: unknown): Promise<unknown> {
  try {
    return normal(await ends.near.call('echo', value))
  } catch (error) {
    const { code } = error as { code: unknown }
    assert.ok(typeof code !== 'string' || code in rpcErrors.specs, String(error))
    return code
  }
}

test('any value at all arrives alike over both channels or is refused alike, and the session lives on', async () => {
  const anything = fc.anything({
    withBigInt: true,
    withDate: true,
    withMap: true,
    withSet: true,
    withTypedArray: true,
    withNullPrototype: true,
    withSparseArray: true,
  })
  await using ports = await link('port', { far: { call: (_target, value) => value } })
  await using sockets = await link('socket', { far: { call: (_target, value) => value } })
  await fc.assert(
    fc.asyncProperty(anything, async (value) => {
      assert.deepEqual(await outcome(ports, value), await outcome(sockets, value))
      assert.equal(await ports.near.call('echo', 'alive'), 'alive')
      assert.equal(await sockets.near.call('echo', 'alive'), 'alive')
    }),
    { numRuns: 500 * factor },
  )
})

test('a value that cannot cross is refused with the path to what is wrong', async () => {
  await using ends = await link('port', { far: { call: (_target, value) => value } })
  const refused: readonly (readonly [unknown, string])[] = [
    [Number.NaN, 'it is NaN'],
    [{ size: Number.POSITIVE_INFINITY }, '.size is Infinity'],
    [{ disks: [{ read: () => 1 }] }, '.disks.0.read is a function'],
    [{ id: 1n }, '.id is a bigint'],
    [[Symbol('s')], '.0 is a symbol'],
    [{ disk: { data: new Uint8Array(1) } }, '.disk.data is bytes deeper than a direct member'],
    [{ data: new Float32Array(1) }, '.data is a view other than a Uint8Array'],
    [{ data: new ArrayBuffer(1) }, '.data is an ArrayBuffer'],
    [{ data: new SharedArrayBuffer(1) }, '.data is a SharedArrayBuffer'],
    [{ tags: new Map() }, '.tags is a Map'],
    [{ tags: new Set() }, '.tags is a Set'],
    [{ later: Promise.resolve() }, '.later is a promise'],
    [JSON.parse('{"a":{"__proto__":1}}'), '.a.__proto__ is a name that programs take for a prototype'],
    [{ constructor: { prototype: 1 } }, '.constructor is a name that programs take for a prototype'],
    [
      { a: { toJSON: () => JSON.parse('{"__proto__":1}') as unknown } },
      '.a.__proto__ is a name that programs take for a prototype',
    ],
    [{ a: { toJSON: () => 1n } }, '.a is not JSON'],
    [{ a: { toJSON: () => rawJson('1e400') } }, '.a is a number that is too large'],
    [Array.from({ length: 1_025 }, () => new Uint8Array(1)), 'it is something with more than 1024 byte members'],
  ]
  for (const [value, problem] of refused) {
    await assert.rejects(ends.near.call('echo', value), {
      code: 'RPC_VALUE_UNSUPPORTED',
      message: `The value cannot cross a session: ${problem}.`,
    })
  }
})

test('instances travel as their members, and toJSON decides for itself', async () => {
  class Disk {
    readonly name = 'vda'
    readonly #secret = 1
    size(): number {
      return this.#secret
    }
  }
  await using ends = await link('socket', { far: { call: (_target, value) => value } })
  assert.deepEqual(await ends.near.call('echo', new Disk()), { name: 'vda' })
  assert.deepEqual(await ends.near.call('echo', { disk: new Disk(), url: new URL('http://a/') }), {
    disk: { name: 'vda' },
    url: 'http://a/',
  })
  assert.equal(await ends.near.call('echo', { toJSON: () => undefined }), undefined)
  assert.deepEqual(await ends.near.call('echo', Object.assign(Object.create(null), { a: 1 })), { a: 1 })
})
