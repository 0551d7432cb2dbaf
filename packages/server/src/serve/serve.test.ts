import assert from 'node:assert/strict'
import { once } from 'node:events'
import { link, mkdir, readdir, stat, symlink, writeFile } from 'node:fs/promises'
import { createServer, connect, type Socket } from 'node:net'
import { join } from 'node:path'
import { text } from 'node:stream/consumers'
import { test, type TestContext } from 'node:test'
import { demoKernel } from '../fixtures/demo-kernel.ts'
import { startServer } from '../fixtures/start-server.ts'
import type { Handler } from '../handler.ts'
import { serve } from './serve.ts'

const hello: Handler = () => new Response('hello')

function open(t: TestContext, port: number): Socket {
  const socket = connect(port, '127.0.0.1')
  socket.on('error', () => undefined)
  t.after(() => socket.destroy())
  return socket
}

test('the unix socket is its owner’s alone and leaves nothing behind', async (t) => {
  const server = await startServer(t, (await demoKernel(t)).kernel)
  const run = join(server.directory, 'run')
  assert.equal((await stat(server.socket)).mode & 0o777, 0o600)
  assert.equal((await stat(run)).mode & 0o777, 0o700)
  assert.deepEqual(await readdir(run), ['api.sock'])
  assert.equal((await server.unix('/healthz')).status, 200)
  await server.served.close()
  assert.deepEqual(await readdir(run), [])
})

test('a dead socket is replaced, a living one and other files are not', async (t) => {
  const server = await startServer(t, (await demoKernel(t)).kernel)
  await assert.rejects(serve(hello, { unixSocket: server.socket }), (error: Error & { code: string }) => {
    assert.equal(error.code, 'SERVER_ADDRESS_IN_USE')
    assert.ok(error.message.includes(server.socket))
    return true
  })
  assert.equal((await server.unix('/healthz')).status, 200)

  const dead = join(server.directory, 'dead.sock')
  const gone = createServer()
  gone.listen(join(server.directory, 'was.sock'))
  await once(gone, 'listening')
  await link(join(server.directory, 'was.sock'), dead)
  gone.close()
  await once(gone, 'close')
  assert.ok((await stat(dead)).isSocket())
  await using revived = await serve(hello, { unixSocket: dead })
  assert.equal(revived.unixSocket, dead)

  const file = join(server.directory, 'file')
  await writeFile(file, 'keep')
  await assert.rejects(serve(hello, { unixSocket: file }), { code: 'SERVER_SOCKET_OCCUPIED' })
  const pointer = join(server.directory, 'pointer')
  await symlink(file, pointer)
  await assert.rejects(serve(hello, { unixSocket: pointer }), { code: 'SERVER_SOCKET_OCCUPIED' })
  await assert.rejects(serve(hello, { unixSocket: join(server.directory, 'x'.repeat(120)) }), { code: 'SERVER_SOCKET_PATH_LONG' })
  await assert.rejects(serve(hello, { unixSocket: join(file, 'api.sock') }), { code: 'SERVER_ADDRESS_UNAVAILABLE' })
})

test('a taken port says which and leaves nothing listening', async (t) => {
  const server = await startServer(t, (await demoKernel(t)).kernel)
  const run = join(server.directory, 'other')
  await mkdir(run)
  const both = serve(hello, { unixSocket: join(run, 'api.sock'), tcp: { port: server.port } })
  await assert.rejects(both, (error: Error & { code: string; hint: string }) => {
    assert.equal(error.code, 'SERVER_ADDRESS_IN_USE')
    assert.ok(error.message.includes(`127.0.0.1:${server.port}`))
    assert.match(error.hint, /another address/)
    return true
  })
  assert.deepEqual(await readdir(run), [])
})

test('bytes that are no request are answered and cut off', async (t) => {
  const server = await startServer(t, (await demoKernel(t)).kernel)
  const authorized = `Host: 127.0.0.1:${server.port}\r\nAuthorization: Bearer ${server.token}\r\n`
  assert.match(await server.raw('hello\r\n\r\n'), /^HTTP\/1\.1 400 [^]*SERVER_REQUEST_MALFORMED/)
  assert.match(
    await server.raw(`GET /healthz HTTP/1.1\nHost: 127.0.0.1:${server.port}\n\n`),
    /^HTTP\/1\.1 400 /,
    'bare line feeds',
  )
  const smuggled = `POST /x HTTP/1.1\r\n${authorized}Content-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n`
  assert.match(await server.raw(smuggled), /^HTTP\/1\.1 400 /)
  const many = `GET / HTTP/1.1\r\n${authorized}${'X-Y: 1\r\n'.repeat(3_000)}\r\n`
  assert.match(await server.raw(many), /^HTTP\/1\.1 431 [^]*SERVER_HEADERS_TOO_LARGE/)
  const long = `GET / HTTP/1.1\r\n${authorized}X: ${'y'.repeat(17 * 1_024)}\r\n\r\n`
  assert.match(await server.raw(long), /^HTTP\/1\.1 431 /)
  assert.equal((await server.tcp('/healthz')).status, 200)
})

test('who sends the headers or the body too slowly is cut off', async (t) => {
  const limits = { headersTimeoutMs: 100, requestTimeoutMs: 200 }
  const server = await startServer(t, (await demoKernel(t)).kernel, { serve: { limits } })
  assert.match(await server.raw('GET /healthz HTTP/1.1\r\nHost: '), /^HTTP\/1\.1 408 [^]*SERVER_REQUEST_TIMEOUT/)
  const slowBody =
    `POST /api/plugins/reload HTTP/1.1\r\nHost: 127.0.0.1:${server.port}\r\nAuthorization: Bearer ${server.token}\r\n` +
    `Content-Type: application/json\r\nContent-Length: 10\r\n\r\n{`
  assert.match(await server.raw(slowBody), /^HTTP\/1\.1 408 /)
  const silent = open(t, server.port)
  assert.match(await text(silent), /^(HTTP\/1\.1 408 [^]*)?$/)
})

test('a hundred megabytes are refused without being taken', async (t) => {
  const server = await startServer(t, (await demoKernel(t)).kernel)
  const head = `POST /api/plugins/reload HTTP/1.1\r\nHost: 127.0.0.1:${server.port}\r\nAuthorization: Bearer ${server.token}\r\nContent-Type: application/json\r\n`
  const asking = open(t, server.port)
  asking.write(`${head}Content-Length: 104857600\r\nExpect: 100-continue\r\n\r\n`)
  const [first] = (await once(asking, 'data')) as [Buffer]
  assert.match(first.toString(), /^HTTP\/1\.1 413 /)

  const pushing = open(t, server.port)
  pushing.write(`${head}Transfer-Encoding: chunked\r\n\r\n`)
  const chunk = Buffer.from(`10000\r\n${' '.repeat(0x10000)}\r\n`)
  const push = (): void => {
    while (!pushing.destroyed && pushing.write(chunk));
  }
  pushing.on('drain', push)
  push()
  const closed = new Promise((resolve) => pushing.once('close', resolve))
  const received = text(pushing).catch(() => '')
  await closed
  assert.match(await received, /^(HTTP\/1\.1 413 [^]*)?$/)
  assert.ok(pushing.bytesWritten < 104_857_600)
  assert.equal((await server.tcp('/healthz')).status, 200)
})

test('a client that waits to be told gets its 100 and its answer', async (t) => {
  const server = await startServer(t, (await demoKernel(t)).kernel)
  const answer = server.raw(
    `POST /api/plugins/reload HTTP/1.1\r\nHost: 127.0.0.1:${server.port}\r\nAuthorization: Bearer ${server.token}\r\n` +
      'Content-Type: application/json\r\nContent-Length: 2\r\nExpect: 100-continue\r\nConnection: close\r\n\r\n{}',
  )
  assert.match(await answer, /^HTTP\/1\.1 100 Continue\r\n\r\nHTTP\/1\.1 200 /)
})

test('thousands of idle connections keep no client out', async (t) => {
  const server = await startServer(t, (await demoKernel(t)).kernel, { serve: { limits: { connections: 32 } } })
  const capped = Promise.withResolvers<void>()
  let closed = 0
  for (let count = 0; count < 500; count++) {
    open(t, server.port).on('close', () => {
      closed += 1
      if (closed === 500 - 32) capped.resolve()
    })
  }
  await capped.promise
  for (let count = 0; count < 5; count++) assert.equal((await server.tcp('/healthz')).status, 200)
})

test('when every connection is answering, the newcomer goes and the others stay', async (t) => {
  const release = Promise.withResolvers<void>()
  const begun: (() => void)[] = []
  const server = await startServer(t, undefined, {
    serve: { limits: { connections: 2 } },
    handler: async () => {
      begun.shift()?.()
      await release.promise
      return new Response('late')
    },
  })
  const pending = [0, 1].map(async () => {
    const started = Promise.withResolvers<void>()
    begun.push(started.resolve)
    const answer = server.tcp('/slow')
    await started.promise
    return { answer }
  })
  const answers = await Promise.all(pending)
  await assert.rejects(server.tcp('/slow'), { code: 'ECONNRESET' })
  release.resolve()
  for (const { answer } of answers) assert.equal((await answer).text, 'late')
})

test('closing lets requests finish, ends streams and then refuses', async (t) => {
  const begun = Promise.withResolvers<void>()
  const release = Promise.withResolvers<void>()
  const handler: Handler = async (_request, peer) => {
    begun.resolve()
    await release.promise
    return new Response(String(peer.closing.aborted))
  }
  const server = await startServer(t, undefined, { handler })
  const answer = server.tcp('/slow')
  await begun.promise
  const closed = server.served.close()
  assert.equal(server.served.close(), closed)
  await assert.rejects(server.tcp('/slow'))
  release.resolve()
  assert.equal((await answer).text, 'true')
  await closed
})

test('closing cuts off what does not end by its deadline', async (t) => {
  const begun = Promise.withResolvers<AbortSignal>()
  const handler: Handler = async (request) => {
    begun.resolve(request.signal)
    await once(request.signal, 'abort')
    return new Response('never seen')
  }
  const server = await startServer(t, undefined, { handler })
  const answer = server.tcp('/hang')
  const signal = await begun.promise
  const refused = assert.rejects(answer)
  await server.served.close(50)
  await refused
  if (!signal.aborted) await once(signal, 'abort')
})

test('a plugin’s failure in the middle of a stream ends the connection, not the server', async (t) => {
  const handler: Handler = () =>
    new Response(
      new ReadableStream({
        pull: (controller) => {
          controller.enqueue(new TextEncoder().encode('x'.repeat(100)))
          controller.error(new Error('broken'))
        },
      }),
    )
  const server = await startServer(t, undefined, { handler })
  await assert.rejects(server.tcp('/stream'))
  await assert.rejects(server.tcp('/stream'))
})

test('answers over one connection come in order', async (t) => {
  const server = await startServer(t, (await demoKernel(t)).kernel)
  const head = `Host: 127.0.0.1:${server.port}\r\nAuthorization: Bearer ${server.token}\r\n`
  const answers = await server.raw(
    `GET /healthz HTTP/1.1\r\n${head}\r\nGET /api/plugins/stats HTTP/1.1\r\n${head}\r\nHEAD /readyz HTTP/1.1\r\n${head}Connection: close\r\n\r\n`,
  )
  assert.match(answers, /"status":"ok"[^]*"total":4[^]*HTTP\/1\.1 200 [^]*\r\n\r\n$/)
})

test('a connection is closed after its last request, and when it has none for long', async (t) => {
  const limits = { requestsPerConnection: 2, idleTimeoutMs: 100 }
  const server = await startServer(t, (await demoKernel(t)).kernel, { serve: { limits } })
  const one = `GET /healthz HTTP/1.1\r\nHost: 127.0.0.1:${server.port}\r\n\r\n`
  const answers = await server.raw(one.repeat(3))
  assert.deepEqual(
    [...answers.matchAll(/HTTP\/1\.1 (\d+)/g)].map(([, status]) => status),
    ['200', '200', '503'],
    'the third is told to come again on another connection',
  )
  assert.match(await server.raw(one), /^HTTP\/1\.1 200 /, 'nobody said to close it')
})
