import assert from 'node:assert/strict'
import { describe, test, type TestContext } from 'node:test'
import type { Store } from '@backplane/kernel'

/** What every {@link Store} must do, whatever keeps the texts. `make` gives an empty one; the suite disposes it. */
export function storeContract(name: string, make: (t: TestContext) => Promise<Store>): void {
  const rule = (title: string, check: (store: Store) => Promise<void>): void => {
    test(title, async (t) => {
      await using store = await make(t)
      await check(store)
    })
  }

  describe(`${name} keeps the store contract`, () => {
    rule('what was set is what is got, and nothing else is there', async (store) => {
      await store.set('one', 'key', 'value')
      assert.equal(await store.get('one', 'key'), 'value')
      assert.equal(await store.get('one', 'other'), undefined)
      assert.equal(await store.get('two', 'key'), undefined)
    })

    rule('any text is a value: empty, long, beyond the first plane, with a NUL', async (store) => {
      for (const value of ['', 'x'.repeat(1 << 20), '\u{1F600} \u{10FFFF}', 'a\0b', "'; DROP TABLE x; --"]) {
        await store.set('ns', value.slice(0, 40), value)
        assert.equal(await store.get('ns', value.slice(0, 40)), value)
      }
    })

    rule('keys come sorted by code point', async (store) => {
      const keys = ['b', 'a', '\u{10000}', '\u{FFFD}', 'é', 'Z', '']
      await Promise.all(keys.map((key) => store.set('ns', key, '1')))
      assert.deepEqual(await store.keys('ns', ''), ['', 'Z', 'a', 'b', 'é', '\u{FFFD}', '\u{10000}'])
    })

    rule('a prefix means exactly its characters', async (store) => {
      const keys = ['job/1', 'job/2', 'jobs', 'job', 'jo%', 'jo_x', '*', 'JOB/3', '\u{10FFFF}', '\u{10FFFF}x']
      await Promise.all(keys.map((key) => store.set('ns', key, '1')))
      assert.deepEqual(await store.keys('ns', 'job/'), ['job/1', 'job/2'])
      assert.deepEqual(await store.keys('ns', 'jo%'), ['jo%'])
      assert.deepEqual(await store.keys('ns', 'jo_'), ['jo_x'])
      assert.deepEqual(await store.keys('ns', '*'), ['*'])
      assert.deepEqual(await store.keys('ns', '\u{10FFFF}'), ['\u{10FFFF}', '\u{10FFFF}x'])
      assert.deepEqual(await store.keys('other', ''), [])
    })

    rule('deleting forgets one key, and deleting what is not there is fine', async (store) => {
      await store.set('ns', 'a', '1')
      await store.set('ns', 'b', '2')
      await store.delete('ns', 'a')
      await store.delete('ns', 'a')
      assert.deepEqual(await store.keys('ns', ''), ['b'])
    })

    rule('clearing forgets one namespace', async (store) => {
      await store.set('ns', 'a', '1')
      await store.set('other', 'a', '2')
      await store.clear('ns')
      assert.deepEqual(await store.keys('ns', ''), [])
      assert.equal(await store.get('other', 'a'), '2')
    })

    rule('a write beyond the quota is refused and leaves what was there', async (store) => {
      await store.set('ns', 'key', '12345', 8)
      await assert.rejects(store.set('ns', 'key', '123456', 8), { code: 'STATE_QUOTA_EXCEEDED' })
      await assert.rejects(store.set('ns', 'k', '', 8), { code: 'STATE_QUOTA_EXCEEDED' })
      assert.equal(await store.get('ns', 'key'), '12345')
      assert.deepEqual(await store.keys('ns', ''), ['key'])
    })

    rule('the quota counts UTF-8 bytes of keys and values, and only what is there now', async (store) => {
      await assert.rejects(store.set('ns', 'é', 'é', 3), { code: 'STATE_QUOTA_EXCEEDED' })
      await store.set('ns', 'é', 'é', 4)
      await store.set('ns', 'é', 'ab', 4)
      await store.delete('ns', 'é')
      await store.set('ns', 'ab', 'cd', 4)
      await store.set('other', 'ab', 'cd', 4)
    })

    rule('of writes at once each is there, and the quota holds over all of them', async (store) => {
      const writes = Array.from({ length: 50 }, (_, at) => store.set('ns', `k${at % 10}${Math.trunc(at / 10)}`, 'x', 120))
      const settled = await Promise.allSettled(writes)
      assert.equal(settled.filter(({ status }) => status === 'fulfilled').length, 30)
      assert.equal((await store.keys('ns', '')).length, 30)
    })

    rule('disposing twice is fine', async (store) => {
      await store[Symbol.asyncDispose]()
    })
  })
}
