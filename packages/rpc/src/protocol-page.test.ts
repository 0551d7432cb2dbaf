import assert from 'node:assert/strict'
import { spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { readFile } from 'node:fs/promises'
import type { Socket } from 'node:net'
import { test } from 'node:test'
import { handlerOf } from './fixtures/ends.ts'
import { createSession, defaultLimits, protocolVersion, socketChannel, socketPair } from './index.ts'

const page = await readFile(new URL('../../../docs/protocol.md', import.meta.url), 'utf8')

function blocks(kind: string): readonly string[] {
  return Array.from(page.matchAll(new RegExp(`^\`\`\`${kind}\\n(.*?)^\`\`\`$`, 'gms')), (match) => match[1] ?? '')
}

/** Lines of a block are bytes in hexadecimal with a remark after two blanks, or text. */
function bytesOf(block: string): Buffer {
  const lines = block.trimEnd().split('\n')
  return Buffer.concat(
    lines.map((line) => {
      const hex = /^((?:[0-9a-f]{2} )*[0-9a-f]{2})(?: {2,}.*)?$/.exec(line)
      return hex === null ? Buffer.from(line) : Buffer.from((hex[1] ?? '').replaceAll(' ', ''), 'hex')
    }),
  )
}

async function expect(socket: Socket, expected: Buffer): Promise<void> {
  let seen: Buffer = Buffer.alloc(0)
  while (seen.length < expected.length) {
    const [chunk] = (await once(socket, 'data')) as [Buffer]
    seen = Buffer.concat([seen, chunk])
  }
  assert.equal(seen.toString('latin1'), expected.toString('latin1'))
}

test('the example on the protocol page is what a session says and understands, byte for byte', async () => {
  const [hostHello, request] = blocks('frames host').map(bytesOf)
  const [guestHello, answer] = blocks('frames guest').map(bytesOf)
  assert.ok(hostHello !== undefined && request !== undefined && guestHello !== undefined && answer !== undefined)
  const { channel, far } = await socketPair()
  await using session = createSession(channel, { handler: handlerOf() })
  const data = new Uint8Array([0xde, 0xad, 0xbe, 0xef])
  const answered = session.call('echo', { n: 1, data }, { caller: 'host' })
  const pinged = session.ping(10_000)
  far.resume()
  await expect(far, hostHello)
  far.write(guestHello)
  await expect(far, request)
  far.write(answer)
  await pinged
  assert.deepEqual(await answered, data)
  far.destroy()
})

test('the protocol page states the version, the defaults and every kind of message', async () => {
  assert.match(page, new RegExp(`^# .*version ${String(protocolVersion)}$`, 'm'))
  for (const [name, value] of Object.entries(defaultLimits))
    assert.match(page, new RegExp(`^\\| \`${name}\` \\| ${String(value)} \\|`, 'm'))
  const source = await readFile(new URL('./create-session.ts', import.meta.url), 'utf8')
  const kinds = Array.from(source.matchAll(/case '(\w+)':/g), (match) => match[1] ?? '')
  assert.equal(kinds.length, 15)
  for (const kind of kinds) assert.ok(page.includes(`["${kind}"`), `${kind} is not on the page`)
})

test('the guest in Python on the protocol page speaks with a session', async (t) => {
  if (spawnSync('python3', ['--version']).status !== 0) {
    assert.notEqual(process.env['BACKPLANE_CI'], '1', 'python3 is missing')
    t.skip('needs python3 (Debian package python3)')
    return
  }
  const [program] = blocks('python')
  assert.ok(program !== undefined)
  const child = spawn('python3', ['-c', program], { stdio: ['ignore', 'inherit', 'inherit', 'pipe'] })
  const session = createSession(socketChannel(child.stdio[3] as Socket), { handler: handlerOf() })
  const bytes = Uint8Array.from({ length: 300_000 }, (_, at) => at)
  assert.deepEqual(await session.call('echo', { a: [1, 'ä'] }), { a: [1, 'ä'] })
  assert.deepEqual(await session.call('echo', bytes.slice()), bytes)
  await assert.rejects(session.call('nothing', 1), { code: 'GUEST_UNKNOWN', message: 'there is no nothing' })
  await assert.rejects(session.call('echo', new Uint8Array(2_000_000)), { code: 'RPC_MESSAGE_TOO_LARGE' })
  session.notify('log', { data: bytes.slice(0, 4) })
  let sum = 0
  for await (const item of session.stream('count', 100)) sum += item as number
  assert.equal(sum, 4_950)
  for await (const item of session.stream('count', 1_000)) if (item === 20) break
  await session.ping(10_000)
  await session[Symbol.asyncDispose]()
  assert.deepEqual(await once(child, 'exit'), [0, null])
})
