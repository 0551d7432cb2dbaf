import assert from 'node:assert/strict'
import { test } from 'node:test'
import { kinds, link, rawPeer } from './fixtures/ends.ts'

/** Every way a value can be wrong that a session looks for in what it receives. */
const wrong: readonly (readonly [string, string, string])[] = [
  ['deeper than its depth', 'RPC_TOO_DEEP', `${'['.repeat(65)}${']'.repeat(65)}`],
  ['with a name for a prototype', 'RPC_PROTOTYPE_KEY', '{"__proto__":{"isAdmin":true}}'],
  ['with a constructor that has a prototype', 'RPC_PROTOTYPE_KEY', '{"constructor":{"prototype":{}}}'],
  ['with a number that is too large', 'RPC_BAD_MESSAGE', '[1e400]'],
]

for (const kind of kinds) {
  for (const [what, code, text] of wrong) {
    test(`over a ${kind}, a value ${what} ends the session, unless the peer is trusted to have looked at it`, async () => {
      const taken: unknown[] = []
      const handler = { call: (_target: string, value: unknown): void => void taken.push(value) }
      const batch = `[["call",1,"x",0,"","",${text}]]`

      await using hostile = await rawPeer(kind, { handler })
      hostile.sendText(batch)
      const end = await hostile.session.ended
      assert.equal(end.kind === 'violated' ? end.error.code : end.kind, code)
      assert.equal(taken.length, 0)

      await using trusted = await rawPeer(kind, { handler, isTrusted: true })
      trusted.sendText(batch)
      assert.deepEqual(await trusted.next(), ['result', 1])
      assert.deepEqual(taken, [JSON.parse(text)])
    })

    test(`over a ${kind}, a trusted session asks and answers with no value ${what}, so its peer need not look`, async () => {
      let calls = 0
      const near = { call: (target: string) => (target === 'wrong' ? (JSON.parse(text) as unknown) : 'right') }
      await using linked = await link(kind, { near, far: { call: () => void calls++ }, isNearTrusted: true })
      const isRefused = (error: { code?: string }): boolean =>
        ['RPC_TOO_DEEP', 'RPC_VALUE_UNSUPPORTED'].includes(error.code ?? '')
      await assert.rejects(linked.near.call('x', JSON.parse(text)), isRefused)
      await assert.rejects(linked.far.call('wrong', 1), isRefused)
      assert.equal(await linked.near.call('x', 1), undefined)
      assert.equal(await linked.far.call('y', 1), 'right')
      assert.equal(calls, 1)
    })
  }

  test(`over a ${kind}, a trusted peer that breaks the form of a message still ends the session`, async () => {
    for (const batch of ['[["call"', '{}', '["call"]', '[["exec",1]]', '[["call",0,"x",0,"",""]]']) {
      await using peer = await rawPeer(kind, { isTrusted: true })
      peer.sendText(batch)
      assert.equal((await peer.session.ended).kind, 'violated', batch)
    }
  })
}
