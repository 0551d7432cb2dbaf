import assert from 'node:assert/strict'
import { test } from 'node:test'
import { kinds, link, rawPeer, until } from './fixtures/ends.ts'
import type { PlatformError } from '@backplane/sdk'
import { forever, hanging } from './fixtures/hanging.ts'
import { isSessionClosed, rpcErrors } from './index.ts'

for (const kind of kinds) {
  test(`over a ${kind}, disposing rejects what is in flight with RPC_CLOSED on both sides and aborts the handlers`, async () => {
    const far = hanging()
    const ends = await link(kind, { far, near: { call: forever } })
    const outgoing = ends.near.call('hang', 1)
    const incoming = ends.far.call('hang', 1)
    const items = ends.near.stream('hang', 1)[Symbol.asyncIterator]()
    const pinged = ends.near.ping(10_000)
    await pinged
    await until(() => far.calls.length === 1)
    await ends.near[Symbol.asyncDispose]()
    await assert.rejects(outgoing, { code: 'RPC_CLOSED' })
    await assert.rejects(incoming, { code: 'RPC_CLOSED' })
    await assert.rejects(items.next(), { code: 'RPC_CLOSED' })
    assert.deepEqual(await ends.near.ended, { kind: 'closed' })
    assert.deepEqual(await ends.far.ended, { kind: 'closed' })
    assert.equal(far.calls[0]?.signal.aborted, true)
    assert.equal(far.reason().name, 'AbortError')
    await assert.rejects(ends.near.call('after', 1), { code: 'RPC_CLOSED' })
    await assert.rejects(ends.near.ping(10_000), { code: 'RPC_CLOSED' })
    assert.equal(ends.near.notify('after', 1), false)
    await ends[Symbol.asyncDispose]()
  })

  test(`over a ${kind}, only the end of the session itself counts as closed, not an error that says so`, async () => {
    const liar = rpcErrors.error('RPC_CLOSED', { target: 'a lie' })
    const ends = await link(kind, { far: { call: (target) => (target === 'lie' ? Promise.reject(liar) : forever()) } })
    const lie: unknown = await ends.near.call('lie', 1).catch((error: unknown) => error)
    const unanswered = ends.near.call('hang', 1).catch((error: unknown) => error)
    await ends[Symbol.asyncDispose]()
    const truth = await unanswered
    assert.deepEqual([(lie as PlatformError).code, isSessionClosed(lie)], ['RPC_CLOSED', false])
    assert.deepEqual([(truth as PlatformError).code, isSessionClosed(truth)], ['RPC_CLOSED', true])
    assert.equal(isSessionClosed('text'), false)
  })

  test(`over a ${kind}, a peer that goes without a word is lost`, async () => {
    const peer = await rawPeer(kind)
    const answer = peer.session.call('x', 1)
    await peer.next()
    await using _peer = peer
    peer.vanish()
    assert.deepEqual(await peer.session.ended, { kind: 'lost' })
    await assert.rejects(answer, { code: 'RPC_CLOSED' })
  })

  test(`over a ${kind}, what a peer says about the end is told`, async () => {
    await using peer = await rawPeer(kind)
    peer.send(['goodbye', { code: 'RPC_BAD_MESSAGE', message: 'you sent nonsense' }])
    const end = await peer.session.ended
    assert.ok(end.kind === 'violated')
    assert.equal(end.error.code, 'RPC_PEER_REFUSED')
    assert.match(end.error.message, /you sent nonsense/)
  })

  test(`over a ${kind}, rejections nobody looks at are not reported as unhandled`, async () => {
    const unhandled: unknown[] = []
    const listen = (reason: unknown): unknown => unhandled.push(reason)
    process.on('unhandledRejection', listen)
    const far = hanging()
    const ends = await link(kind, { far: { ...far, stream: () => assert.fail('never asked') } })
    void ends.near.call('hang', 1)
    void ends.near.call('hang', 1n)
    void ends.near.ping(1)
    void ends.near.stream('hang', 1)[Symbol.asyncIterator]().next()
    void ends.near.call('hang', 1, { signal: AbortSignal.abort() })
    await until(() => far.calls.length === 1)
    await ends[Symbol.asyncDispose]()
    void ends.near.call('after', 1)
    void ends.near.ping(1)
    await new Promise((resolve) => setTimeout(resolve, 5))
    process.off('unhandledRejection', listen)
    assert.deepEqual(unhandled, [])
  })

  test(`over a ${kind}, hung is told from slow by the ack`, async () => {
    await using peer = await rawPeer(kind, { limits: { ackMs: 1 } })
    void peer.session.call('slow', 1)
    const hung = peer.session.call('hung', 1)
    const [, slowId] = await peer.next()
    const [, hungId] = await peer.next()
    peer.send(['ack', slowId])
    // Until the ack is here, the slow one may look hung as well.
    await until(() => peer.session.hung().join() === 'hung')
    peer.send(['result', hungId, 'late'])
    assert.equal(await hung, 'late')
    assert.deepEqual(peer.session.hung(), [])
  })

  test(`over a ${kind}, a request that is not answered at once is acknowledged`, async () => {
    await using peer = await rawPeer(kind, { handler: { call: (target) => (target === 'slow' ? forever() : 'now') } })
    peer.send(['call', 1, 'slow', 0, '', ''], ['call', 2, 'fast', 0, '', ''], ['call', 3, 'slow', 0, '', ''])
    assert.deepEqual(await peer.next(), ['result', 2, 'now'])
    await until(() => peer.seen.length === 2)
    assert.deepEqual(peer.seen[1], ['ack', 1, 3])
  })

  test(`over a ${kind}, a ping that is not answered rejects with RPC_HUNG`, async () => {
    await using peer = await rawPeer(kind)
    await assert.rejects(peer.session.ping(5), { code: 'RPC_HUNG' })
  })
}
