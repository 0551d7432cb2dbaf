import assert from 'node:assert/strict'
import { readdir, readFile, stat, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { test, type TestContext } from 'node:test'
import type { Instance, KernelLogLine } from '@backplane/kernel'
import { temporaryDirectory } from '@backplane/testing'
import { watchedKernel, type WatchedKernel } from '../fixtures/watched-kernel.ts'
import { automaticProfiles, type AutomaticProfiles, type AutomaticProfilesOptions } from './automatic-profiles.ts'
import { KeptProfiles } from './kept-profiles.ts'

interface Watched extends WatchedKernel {
  readonly directory: string
  /** Settles with the next line about a plugin that has to do with profiles. */
  readonly line: () => Promise<string>
  readonly profiled: () => number
  readonly names: AutomaticProfiles['names']
  /** The plugin stood still for so long within each of so many samples. */
  readonly stall: (ms: number, samples: number) => Promise<void>
}

async function watched(
  t: TestContext,
  options: Partial<AutomaticProfilesOptions> = {},
  given?: Instance['profile'],
): Promise<Watched> {
  const directory = join(await temporaryDirectory(t), 'profiles')
  let profiled = 0
  const kernel = await watchedKernel(
    t,
    given ??
      async function* () {
        profiled += 1
        yield Buffer.from(`profile ${profiled}`)
      },
  )
  const lines: string[] = []
  let told = Promise.withResolvers<string>()
  const write = ({ message }: KernelLogLine): void => {
    lines.push(message)
    told.resolve(message)
  }
  const watch = automaticProfiles(kernel.kernel, { directory, clock: kernel.clock, log: { write }, ...options })
  t.after(() => watch[Symbol.asyncDispose]())
  const line = async (): Promise<string> => {
    const message = await told.promise
    told = Promise.withResolvers()
    return message
  }
  const stall = async (ms: number, samples: number): Promise<void> => {
    kernel.runtime.use('demo/one', { stallMs: ms })
    await kernel.clock.advance(1_000 * samples)
  }
  return { ...kernel, directory, line, profiled: () => profiled, names: watch.names, stall }
}

test('a plugin whose event loop stands still again is profiled, once in a while, into a file for its host alone', async (t) => {
  const host = await watched(t)
  await host.stall(900, 4)
  const message = await host.line()
  assert.match(
    message,
    /^it stood still for 900 ms, not for the first time; what it did then is in .*demo~one-2026-.*-stall\.cpuprofile$/,
  )
  const path = message.slice(message.indexOf('/'))
  assert.equal(await readFile(path, 'utf8'), 'profile 1')
  assert.equal((await stat(path)).mode & 0o777, 0o600)
  assert.deepEqual(await host.names('demo/one'), [path.slice(path.lastIndexOf('/') + 1)])
  assert.deepEqual(await host.names('demo/on'), [])
  await host.stall(900, 60)
  assert.equal(host.profiled(), 1, 'not again for ten minutes')
  await host.stall(900, 600)
  await host.line()
  assert.equal(host.profiled(), 2)
})

test('a plugin that stands still once, or for a short time, is not profiled', async (t) => {
  const host = await watched(t)
  await host.stall(900, 1)
  await host.stall(0, 90)
  await host.stall(900, 1)
  await host.stall(400, 90)
  assert.equal(host.profiled(), 0)
})

test('a plugin over its limit of the processor is profiled', async (t) => {
  const host = await watched(t)
  host.runtime.violate('demo/two', { kind: 'limit', limit: 'cpu', detail: 'used 150 of 100 % of a processor' })
  assert.match(await host.line(), /^it used 150 of 100 % of a processor; .*demo~two-.*-cpu\.cpuprofile$/)
})

test('a profile that cannot be taken, or grows over what may be kept, leaves nothing but a line', async (t) => {
  const host = await watched(t, { fileBytes: 4 })
  await host.stall(900, 4)
  assert.match(await host.line(), /could not be profiled by itself: the profile is larger than 4 bytes/)
  assert.deepEqual(await new KeptProfiles(host.directory, { files: 1, totalBytes: 1, fileBytes: 1 }).names(), [])
})

test('a profile under way is given up when its host stops', async (t) => {
  const begun = Promise.withResolvers<void>()
  const directory = join(await temporaryDirectory(t), 'profiles')
  const { kernel, clock, runtime } = await watchedKernel(t, async function* (_kind, { signal }) {
    begun.resolve()
    await new Promise((_resolve, reject) => signal.addEventListener('abort', () => reject(signal.reason as Error)))
    yield Buffer.from('never')
  })
  const watch = automaticProfiles(kernel, { directory, clock })
  runtime.use('demo/one', { stallMs: 900 })
  await clock.advance(5_000)
  await begun.promise
  await watch[Symbol.asyncDispose]()
})

test('the oldest profiles make room, by number and by bytes', async (t) => {
  const directory = await temporaryDirectory(t)
  const kept = new KeptProfiles(directory, { files: 3, totalBytes: 20, fileBytes: 20 })
  const add = (name: string, size: number): Promise<string> =>
    kept.add(
      `${name}.cpuprofile`,
      (async function* () {
        yield Buffer.alloc(size)
      })(),
    )
  await writeFile(join(directory, 'half.cpuprofile.part'), 'what a killed host had begun')
  for (const name of ['a', 'b', 'c', 'd']) await add(name, 5)
  assert.deepEqual(await kept.names(), ['b.cpuprofile', 'c.cpuprofile', 'd.cpuprofile'])
  await add('e', 12)
  assert.deepEqual(await kept.names(), ['d.cpuprofile', 'e.cpuprofile'])
  await assert.rejects(add('f', 21), RangeError)
  assert.deepEqual(await readdir(directory), ['d.cpuprofile', 'e.cpuprofile'])
})

test('one plugin that is profiled often, or largely, takes no room from the profiles of others', async (t) => {
  const directory = await temporaryDirectory(t)
  const kept = new KeptProfiles(directory, { files: 4, totalBytes: 40, fileBytes: 15 })
  const add = async (plugin: string, minute: number, size: number): Promise<string> => {
    const pieces = (async function* () {
      yield Buffer.alloc(size)
    })()
    return kept.add(`${plugin}-2026-11-21T10-0${minute}-00-000Z-stall.cpuprofile`, pieces)
  }
  await add('demo~quiet', 0, 5)
  await add('demo~quiet-2', 1, 5)
  for (let minute = 2; minute < 9; minute++) await add('demo~loud', minute, 5)
  const owners = async (): Promise<readonly string[]> => (await kept.names()).map((name) => name.slice(0, name.indexOf('-2026')))
  assert.deepEqual(await owners(), ['demo~quiet', 'demo~quiet-2', 'demo~loud', 'demo~loud'])
  for (let minute = 0; minute < 2; minute++) await add('demo~large', minute, 15)
  assert.deepEqual(await owners(), ['demo~quiet', 'demo~quiet-2', 'demo~loud', 'demo~large'])
  await assert.rejects(add('demo~large', 3, 16), RangeError)
  assert.equal((await readdir(directory)).length, 4)
})

test('a plugin is told its own profiles, and not those of one whose name begins alike', async (t) => {
  const host = await watched(t)
  await host.stall(900, 4)
  await host.line()
  await writeFile(join(host.directory, 'demo~one-2fast-2026-11-21T10-00-00-000Z-stall.cpuprofile'), '')
  assert.equal((await host.names('demo/one')).length, 1)
  assert.equal((await host.names('demo/one-2fast')).length, 1)
})
