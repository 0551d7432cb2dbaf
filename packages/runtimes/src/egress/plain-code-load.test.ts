import assert from 'node:assert/strict'
import { readdirSync } from 'node:fs'
import { createSecureServer } from 'node:http2'
import { test } from 'node:test'
import { httpServer, localServer, ownCertificate } from '../fixtures/local-servers.ts'
import { networkSubject } from '../fixtures/network-subject.ts'

test(
  '64 long answers at once come whole, and after the plugin nothing of them is open in its host',
  { timeout: 120_000 },
  async (t) => {
    const wholeBytes = 512 * 1024
    const web = await httpServer(t, (_request, response) => response.end(Buffer.alloc(wholeBytes, 1)))
    const open: number[] = []
    for (let round = 0; round < 3; round++) {
      const { run, instance, runtime } = await networkSubject(t, { net: [web.authority] })
      const given = { url: `http://${web.authority}/`, count: 8 }
      const outcomes = await Promise.all(Array.from({ length: 8 }, () => run('downloads', given)))
      for (const { value } of outcomes) assert.deepEqual(value, Array(8).fill(wholeBytes))
      assert.equal((await instance.usage(10_000)).network?.refused, 0)
      await instance.stop(0)
      while (web.sockets.size > 0) await new Promise(setImmediate)
      await runtime[Symbol.asyncDispose]()
      open.push(readdirSync('/proc/self/fd').length)
    }
    const [first = 0, , last = 0] = open
    assert.ok(last <= first, `descriptors after each: ${open.join(', ')}`)
  },
)

test('TLS chooses its protocol with the place: HTTP/2 over TLS, and kept HTTPS connections', { timeout: 60_000 }, async (t) => {
  const certificate = await ownCertificate(t)
  if (certificate === undefined) return
  const secure = createSecureServer({ ...certificate, allowHTTP1: true }, (request, response) =>
    response.end(request.httpVersion),
  )
  const server = await localServer(t, secure)
  const { run } = await networkSubject(t, { net: [server.authority] })
  const ca = certificate.cert
  assert.deepEqual(await run('http2TlsGet', { url: `https://${server.authority}`, ca }), { value: ['2.0', 'h2'] })
  const before = server.connections()
  const kept = await run('httpsKept', { url: `https://${server.authority}/`, ca, times: 6 })
  assert.deepEqual([kept.value, server.connections() - before], [Array(6).fill('1.1'), 2])
})
