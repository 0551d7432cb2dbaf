import assert from 'node:assert/strict'
import { once } from 'node:events'
import { test, type TestContext } from 'node:test'
import { MessageChannel, type MessagePort } from 'node:worker_threads'
import type { ExitCause, HostLink, Instance, StartRequest } from '@backplane/kernel'
import { createSession, portChannel, type Handler, type Session, type SessionLimits } from '@backplane/rpc'
import { PlatformError } from '@backplane/sdk'
import { context, RecordingHost, rejection, testLimits } from '@backplane/testing'
import { PluginOutput } from '../output/plugin-output.ts'
import type { ProfileLimits } from '../profile/bounded-profile.ts'
import type { BodyUse, GuestBody } from './guest-body.ts'
import { sessionLimits } from './session-limits.ts'
import { startOverSession } from './start-over-session.ts'

const request: StartRequest = {
  plugin: { id: 'hostile/guest', version: '1.0.0', generation: 1 },
  host: { name: 'test', api: '1.0.0' },
  code: { kind: 'files', directory: '/nowhere', main: 'index.js' },
  config: {},
  grants: { fsRead: [], fsWrite: [], exec: [], net: [], host: [] },
  limits: { ...testLimits, memoryMiB: 64, concurrency: 8, queue: 8, timeoutMs: 1_000, messageBytes: 1024 ** 2 },
  isolation: { floor: 'process', trust: 'community' },
  directories: { code: '/nowhere', data: '/nowhere', exchange: '/nowhere' },
  declared: { 'test.point': ['one'] },
  readyMs: 10_000,
}
const good = [{ point: 'test.point', name: 'one', kind: 'provider', methods: ['run'] }]

/** A guest that speaks the protocol and lies within it. */
interface Liar {
  readonly start: Promise<Instance>
  /** Its own end, to ask the host what it likes. */
  readonly guest: Session
  readonly host: RecordingHost
}

interface Lies extends Pick<Player, 'measure' | 'profileLimits'> {
  readonly stream?: Handler['stream']
}

function liar(t: TestContext, answers: (target: string) => unknown, more: Lies = {}): Liar {
  const { stream = async function* () {}, ...player } = more
  const { port1, port2 } = new MessageChannel()
  const handler: Handler = { call: (target) => answers(target), stream }
  const guest = createSession(portChannel(port2), { handler })
  const kill = (): void => void guest[Symbol.asyncDispose]()
  const host = new RecordingHost()
  return { start: startOf(t, { port: port1, gone: guest.ended, kill, ...player }, host), guest, host }
}

/** What plays the plugin: the host's end of its channel, when it has gone, how to make it go, and what it is seen to use. */
interface Player {
  readonly port: MessagePort
  readonly gone: Promise<unknown>
  readonly kill: () => void
  readonly measure?: GuestBody['measure']
  readonly profileLimits?: Partial<ProfileLimits>
}

function startOf(t: TestContext, player: Player, host: HostLink): Promise<Instance> {
  const { port, gone, kill, measure, profileLimits } = player
  const ended = gone.then((): ExitCause => ({ kind: 'exit', code: 0, lastLines: [] }))
  const made = { pid: 1, output: new PluginOutput(), ended, openChannel: () => portChannel(port), ask: kill, kill }
  const body: GuestBody = measure === undefined ? made : { ...made, measure }
  const code = { kind: 'files', directory: '/nowhere', main: 'index.js' } as const
  const placement = { body, code, directories: request.directories }
  const start = startOverSession('confined', placement, request, { host, signal: new AbortController().signal, profileLimits })
  t.after(() =>
    start.then(
      (instance) => instance.stop(0),
      () => undefined,
    ),
  )
  return start
}

/** Never gets round to an answer. */
class PonderingHost extends RecordingHost {
  override readonly secret = (): Promise<string> => new Promise(() => undefined)
}

/** A guest that keeps to no limit it is told. */
interface Brute {
  readonly instance: Instance
  readonly port: MessagePort
  /** What the host said it takes. */
  readonly limits: Partial<SessionLimits>
  readonly host: RecordingHost
}

async function brute(t: TestContext): Promise<Brute> {
  const { port1, port2 } = new MessageChannel()
  const told = Promise.withResolvers<Brute['limits']>()
  port2.on('message', (text: string | number) => {
    // A number says how much the host has read.
    if (typeof text === 'number') return
    for (const [kind, id, more] of JSON.parse(text) as [string, number, never][]) {
      if (kind === 'hello') told.resolve(more)
      if (kind === 'call') port2.postMessage(JSON.stringify([['result', id, good]]))
    }
  })
  const roomy = { messageBytes: 1024 ** 3, depth: 64, inFlight: 1024, inFlightBytes: 1024 ** 3 }
  port2.postMessage(JSON.stringify([['hello', 1, roomy]]))
  const closed = once(port2, 'close')
  const host = new PonderingHost()
  const start = startOf(t, { port: port1, gone: closed, kill: () => port2.close() }, host)
  return { instance: await start, port: port2, limits: await told.promise, host }
}

for (const [what, answer, code] of [
  ['no list', { point: 'test.point' }, 'RUNTIME_ANSWER_INVALID'],
  ['null', null, 'RUNTIME_ANSWER_INVALID'],
  ['a contribution without methods', [{ point: 'test.point', name: 'one', kind: 'provider' }], 'RUNTIME_ANSWER_INVALID'],
  ['a kind that is none', [{ ...good[0], kind: 'kernel' }], 'RUNTIME_ANSWER_INVALID'],
  ['what its manifest does not declare', [{ ...good[0], name: 'other' }], 'POINT_UNDECLARED'],
  ['a point by a name of every object', [{ ...good[0], point: 'constructor', name: 'name' }], 'POINT_UNDECLARED'],
] as const) {
  test(`a guest that answers its start with ${what} is refused and ended`, async (t) => {
    const { start, guest } = liar(t, (target) => (target === 'start' ? answer : null))
    assert.equal((await rejection(start))['code'], code)
    await guest.ended
  })
}

test('what a guest says it contributes is taken field by field', async (t) => {
  const { start } = liar(t, () => [{ ...good[0], methods: ['run'], more: 'x' }])
  assert.deepEqual((await start).contributions, good)
})

test('an instance that was opened by no number is refused', async (t) => {
  const { start } = liar(t, (target) => (target === 'start' ? good : { instance: 'one', methods: [] }))
  const instance = await start
  const error = await rejection(instance.open({ point: 'test.point', name: 'one', method: 'open' }, {}, context()))
  assert.equal(error['code'], 'RUNTIME_ANSWER_INVALID')
})

test('a guest asks for secrets and state by text only, and for nothing the host does not have', async (t) => {
  const { start, guest } = liar(t, () => good)
  await start
  for (const target of ['secret', 'state.get', 'state.set', 'state.delete', 'state.keys']) {
    for (const value of [null, 1, ['token'], { toString: 'token' }]) {
      assert.equal((await rejection(guest.call(target, value)))['code'], 'RUNTIME_REQUEST_INVALID', target)
    }
  }
  for (const target of [
    '',
    'start',
    'stop',
    'state',
    'constructor',
    'call a b',
    'call a b c d e',
    'call a b c -1',
    'stream a b c -',
  ]) {
    assert.equal((await rejection(guest.call(target, null)))['code'], 'RUNTIME_TARGET_UNKNOWN', target)
  }
  const asStream = guest.stream('call a b c -', null)[Symbol.asyncIterator]()
  assert.equal((await rejection(asStream.next()))['code'], 'RUNTIME_TARGET_UNKNOWN')
  assert.equal(await guest.call('secret', 'token'), 's3cret')
})

test('a guest calls in its own name, whatever it says', async (t) => {
  const { start, guest, host } = liar(t, () => good)
  await start
  await guest.call('call other.point two run -', 1, { caller: 'host' })
  await guest.call('emit other.hook', 1, { caller: 'acme/other' })
  assert.deepEqual(
    host.calls.map(({ caller }) => caller),
    ['hostile/guest', 'hostile/guest'],
  )
})

test('log lines of a guest are brought into form, and notices that are none are ignored', async (t) => {
  const { start, guest, host } = liar(t, () => good)
  await start
  guest.notify('log', { level: 'fatal', message: 'x'.repeat(100_000), fields: [1], traceId: { a: 1 } })
  guest.notify('log', null)
  guest.notify('nothing', 'known')
  guest.notify('log', { level: 'warn', message: 'last', fields: { a: 1 }, traceId: 't' })
  assert.deepEqual(await host.line('last'), { level: 'warn', message: 'last', fields: { a: 1 }, traceId: 't' })
  assert.deepEqual(host.lines.slice(0, -1), [
    { level: 'info', message: 'x'.repeat(16_384) },
    { level: 'info', message: 'undefined' },
  ])
})

const seen: BodyUse = { cpuMs: 7, memoryBytes: 4096, processes: 1, openFiles: 20, counts: undefined }

test('what a guest uses is looked at when it has answered, however late that is', async (t) => {
  const asked = Promise.withResolvers<void>()
  const late = Promise.withResolvers<unknown>()
  const order: string[] = []
  const answers = (target: string): unknown => {
    if (target === 'start') return good
    asked.resolve()
    return late.promise
  }
  const { start, guest } = liar(t, answers, { measure: async () => (order.push('looked at'), seen) })
  const instance = await start
  const usage = instance.usage(60_000)
  await asked.promise
  // A whole way there and back, so that a look taken ahead of the answer would have been taken.
  await instance.ping(60_000)
  await guest.ping(60_000)
  order.push('answered')
  late.resolve({ cpuMs: 900, heapBytes: 5, stallMs: 3, memoryBytes: 1, processes: 1, openFiles: 1 })
  const { cpuMs, memoryBytes, openFiles, heapBytes, stallMs } = await usage
  assert.deepEqual(order, ['answered', 'looked at'])
  assert.deepEqual([cpuMs, memoryBytes, openFiles], [7, 4096, 20], 'what can be seen is not believed')
  assert.deepEqual([heapBytes, stallMs], [5, 3])
})

test('a guest that never says what it uses is looked at all the same, when its time is over', async (t) => {
  let looks = 0
  const never = (target: string): unknown => (target === 'start' ? good : new Promise(() => undefined))
  const { start } = liar(t, never, { measure: async () => (looks++, seen) })
  const instance = await start
  const { cpuMs, processes, heapBytes, stallMs } = await instance.usage(20)
  assert.deepEqual([looks, cpuMs, processes, heapBytes, stallMs], [1, 7, 1, undefined, undefined])
})

test('a guest that never says what it uses, and of which nothing is to be seen, is told by its silence', async (t) => {
  const never = (target: string): unknown => (target === 'start' ? good : new Promise(() => undefined))
  const gone = liar(t, never, { measure: async () => ({ ...seen, processes: 0 }) })
  assert.equal((await rejection((await gone.start).usage(20))).name, 'TimeoutError')
  const unseen = liar(t, never)
  assert.equal((await rejection((await unseen.start).usage(20))).name, 'TimeoutError')
})

test('a guest that only says that its session ended is not waited for', async (t) => {
  const { start } = liar(t, (target) => {
    if (target === 'start') return good
    throw new PlatformError('RPC_CLOSED', 'not really')
  })
  const instance = await start
  const error = await rejection(instance.call({ point: 'test.point', name: 'one', method: 'run' }, 1, context()))
  assert.deepEqual([error['code'], error.message], ['RPC_CLOSED', 'not really'])
})

test('a guest that ends its session is gone, with every call in flight', async (t) => {
  const { start, guest } = liar(t, (target) => (target === 'start' ? good : new Promise(() => undefined)))
  const instance = await start
  const call = rejection(instance.call({ point: 'test.point', name: 'one', method: 'run' }, 1, context()))
  await guest[Symbol.asyncDispose]()
  assert.equal((await call)['code'], 'RUNTIME_EXITED')
  assert.deepEqual(await instance.exited, { kind: 'exit', code: 0, lastLines: [] })
})

test('a guest that gives its profile late, in small pieces or without end is not waited for', async (t) => {
  const piece = (): Promise<Uint8Array> => new Promise((resolve) => setTimeout(resolve, 5, new Uint8Array(1)))
  const never = (): Promise<Uint8Array> => new Promise(() => undefined)
  const hostile = [
    { reason: /nothing came within 20 ms/, limits: { firstMs: 20 }, make: never },
    { reason: /less than 1000000000 bytes a second/, limits: { bytesPerSecond: 1_000_000_000, patienceMs: 20 }, make: piece },
    { reason: /longer than 60 ms/, limits: { overallMs: 60 }, make: piece },
  ]
  for (const { reason, limits, make } of hostile) {
    const stopped = Promise.withResolvers<void>()
    const stream: Handler['stream'] = async function* (_target, _value, { signal }) {
      signal.addEventListener('abort', () => stopped.resolve())
      while (!signal.aborted) yield await make()
    }
    const instance = await liar(t, () => good, { stream, profileLimits: limits }).start
    const taken = async (): Promise<void> => {
      for await (const _ of instance.profile?.('heap', { durationMs: 0, signal: new AbortController().signal }) ?? []);
    }
    const error = await rejection(taken())
    assert.equal(error['code'], 'RUNTIME_PROFILE_SLOW')
    assert.match(error.message, reason)
    await stopped.promise
  }
})

test('a guest is told how many requests it may have open, and one more ends it', async (t) => {
  const { instance, port, limits } = await brute(t)
  assert.equal(limits.inFlight, 64)
  const flood = Array.from({ length: 65 }, (_, at) => ['call', at + 1, 'secret', 0, '', '', 'token'])
  port.postMessage(JSON.stringify(flood))
  const cause = await instance.exited
  assert.equal(cause.kind, 'protocol')
  assert.match(cause.kind === 'protocol' ? cause.detail : '', /more than 64 calls in flight/)
})

test('a guest is told how much its open requests may hold, and more ends it', async (t) => {
  const { instance, port, limits } = await brute(t)
  assert.deepEqual([limits.messageBytes, limits.inFlightBytes], [1024 ** 2, 16 * 1024 ** 2])
  const large = 'x'.repeat(1024 ** 2 - 100)
  const post = (id: number): void => port.postMessage(JSON.stringify([['call', id, 'secret', 0, '', '', large]]))
  for (let id = 1; id <= 9; id++) post(id)
  await once(port, 'message')
  for (let id = 10; id <= 17; id++) post(id)
  const cause = await instance.exited
  assert.match(cause.kind === 'protocol' ? cause.detail : cause.kind, /hold more than 16777216 bytes/)
})

test('a guest is told what it may log, and one that floods its host with more is ended for that', async (t) => {
  const { instance, port, limits, host } = await brute(t)
  assert.deepEqual([limits.noticeBytesPerSecond, limits.noticeBurstBytes], [1024 ** 2, 4 * 1024 ** 2])
  const line = JSON.stringify([['notice', 'log', { level: 'info', message: 'x'.repeat(900_000) }]])
  for (let at = 0; at < 9; at++) port.postMessage(line)
  await once(port, 'message')
  for (let at = 0; at < 15; at++) port.postMessage(line)
  const cause = await instance.exited
  assert.deepEqual([cause.kind, cause.kind === 'limit' && cause.limit], ['limit', 'output'])
  const [, dropped] = /^(\d+) lines were dropped/.exec(host.lines.at(-1)?.message ?? '') ?? []
  assert.ok(host.lines.length < 8 && Number(dropped) > 10, `${host.lines.length} lines were taken and ${dropped} dropped`)
})

test('what a guest says Node denied it is its own word, in form, and only so often', async (t) => {
  const { start, guest, host } = liar(t, () => good)
  const instance = await start
  const wrong = [null, 'FileSystemRead', {}, { permission: 'constructor' }, { permission: ['Net'] }, { permission: 'Everything' }]
  for (const told of wrong) guest.notify('denied', told)
  guest.notify('denied', { permission: 'Net', resource: { toString: 'not text' } })
  guest.notify('denied', { permission: 'FileSystemRead', resource: `/etc/\n${'a'.repeat(1_000)}` })
  for (let at = 0; at < 1_000; at++) guest.notify('denied', { permission: 'FileSystemWrite', resource: `/${at}` })
  await instance.ping(10_000)
  const permissions = host.violations.map((one) => (one.kind === 'grant' ? one.permission : one.limit))
  assert.equal(permissions[0], 'net:connect')
  assert.equal(permissions[1], `fs:read /etc/%0A${'a'.repeat(192)}…`)
  assert.equal(permissions[2], 'fs:write /0')
  assert.ok(permissions.length >= 8 && permissions.length < 16, String(permissions.length))
  assert.ok(host.violations.every(({ detail }) => detail.includes("by the plugin's own word")))
})

test('a guest that says how many lines it dropped is believed where that is a number', async (t) => {
  const { start, guest, host } = liar(t, () => good)
  const instance = await start
  for (const dropped of ['many', -5, 1.5, null, 3]) guest.notify('dropped', dropped)
  await guest.call('secret', 'token')
  await instance.stop(0)
  assert.match(host.lines.map(({ message }) => message).join(), /^3 lines were dropped: [^:]*$/)
})

test('what a plugin may have in flight follows from its limits', () => {
  const mebibyte = 1024 ** 2
  const notices = { noticeBytesPerSecond: mebibyte, noticeBurstBytes: 4 * mebibyte, floodBytesPerSecond: 16 * mebibyte }
  const small = sessionLimits({ ...testLimits, concurrency: 1, queue: 0, messageBytes: mebibyte })
  assert.deepEqual(small, { messageBytes: mebibyte, inFlight: 64, inFlightBytes: 16 * mebibyte, ...notices, credit: 16 })
  const usual = sessionLimits(testLimits)
  assert.deepEqual(usual, {
    messageBytes: 8 * mebibyte,
    inFlight: 1_280,
    inFlightBytes: 64 * mebibyte,
    ...notices,
    credit: 8,
  })
  const { floodBytesPerSecond } = sessionLimits({ ...testLimits, outputBurstBytes: 1_000 })
  assert.equal(floodBytesPerSecond, 4 * mebibyte)
  const huge = sessionLimits({ ...testLimits, messageBytes: 128 * mebibyte })
  assert.deepEqual([huge.inFlightBytes, huge.credit], [128 * mebibyte, 1])
})
