import assert from 'node:assert/strict'
import { request } from 'node:http'
import { join } from 'node:path'
import { test } from 'node:test'
import { Hypervisord, makePlaces } from '../support/hypervisord.ts'
import { letGo, writeSlowProvider } from '../support/slow-provider.ts'

/** Lists when the file `go` is there, and says which time it was. */
const counting = `listVms: async (filter, call) => {
  const round = String((globalThis.rounds = (globalThis.rounds ?? 0) + 1))
  call.log.info('listing ' + round + ' begins')
  while (!existsSync(config.metadata.directory + '/go')) {
    call.signal.throwIfAborted()
    await new Promise((resolve) => setTimeout(resolve, 10))
  }
  return [{ ...machine, tags: { round } }]
},`

test('a crowd that asks for the machines while they are being listed costs the plugin hardly more than one', async (t) => {
  const places = await makePlaces(t, 'plugins: { directories: [./plugins] }\n')
  await writeSlowProvider(join(places.plugins, 'slow'), { version: '1.0.0', methods: counting })
  const daemon = await Hypervisord.start(places)
  const list = async (): Promise<string> => {
    const { status, text, body } = await daemon.get('/api/providers/slow/vms')
    assert.equal(status, 200, text)
    return body.vms[0].tags.round
  }
  const first = list()
  await daemon.until(async () => daemon.output.includes('listing 1 begins'))
  const crowd = Array.from({ length: 30 }, list)
  // Another filter is another question, and is answered beside the first.
  const other = daemon.get('/api/providers/slow/vms?name_pattern=s*')
  await daemon.until(async () => daemon.output.includes('listing 2 begins'))
  await letGo(places.control)
  assert.equal(await first, '1')
  assert.equal((await other).body.vms[0].tags.round, '2')
  const rounds = new Set(await Promise.all(crowd))
  // On a slow machine some of the crowd may come after the rest was answered.
  assert.ok(rounds.size <= 2 && !rounds.has('1'), [...rounds].join(' '))
  assert.ok(!rounds.has(await list()), 'nothing is kept')
})

test('a listing that nobody waits for any more is given up', async (t) => {
  const places = await makePlaces(t, 'plugins: { directories: [./plugins] }\n')
  const telling = counting.replace(
    'call.signal.throwIfAborted()',
    "if (call.signal.aborted) { call.log.info('given up'); throw new Error('left') }",
  )
  await writeSlowProvider(join(places.plugins, 'slow'), { version: '1.0.0', methods: telling })
  const daemon = await Hypervisord.start(places)
  const leaving = request({ socketPath: places.socket, path: '/api/providers/slow/vms', agent: false })
  leaving.on('error', () => undefined)
  leaving.end()
  await daemon.until(async () => daemon.output.includes('listing 1 begins'))
  leaving.destroy()
  await daemon.until(async () => daemon.output.includes('given up'))
})
