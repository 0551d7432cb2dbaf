import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { readdir } from 'node:fs/promises'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { test, type TestContext } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { temporaryDirectory } from '@backplane/testing'
import { notingVersion, writeNotingPlugin } from '../support/noting-plugin.ts'

/** Set `UPGRADES=200` for the whole of it, in each tier; `SEED` for the same again. */
const upgrades = Number(process.env['UPGRADES'] ?? 8)
const seed = Number(process.env['SEED'] ?? 20_261_121)
const lanes = 2
/** A kill comes at most so long after the host is ready: a few updates later, ms. */
const longestMs = { trusted: 250, confined: 1_000 }

const program = fileURLToPath(new URL('../support/host-under-updates.ts', import.meta.url))

/** What the plugin has, as it says itself. */
interface Held {
  readonly version: number
  readonly form: string
  readonly fileForm: string
  readonly notes: readonly number[]
}

for (const tier of ['trusted', 'confined'] as const) {
  test(`killed at any moment of an update, a host serves the old or the new ${tier} version afterwards, with all it had stored`, async (t) => {
    const totals = await Promise.all(
      Array.from({ length: lanes }, (_, lane) =>
        killOften(t, { tier, laneSeed: seed + lane, least: Math.ceil(upgrades / lanes) }),
      ),
    )
    const sum = (pick: (total: Total) => number): number => totals.reduce((all, total) => all + pick(total), 0)
    t.diagnostic(
      `${tier}, seed ${seed}: ${sum(({ kills }) => kills)} kills during ${sum(({ updates }) => updates)} upgrades, ` +
        `${sum(({ notes }) => notes)} writes acknowledged, none lost`,
    )
  })
}

interface Total {
  readonly kills: number
  readonly updates: number
  readonly notes: number
}

interface Lane {
  readonly tier: 'trusted' | 'confined'
  readonly laneSeed: number
  /** Upgrades that are to be begun; a host is killed as often as that takes. */
  readonly least: number
}

async function killOften(t: TestContext, { tier, laneSeed, least }: Lane): Promise<Total> {
  const root = await temporaryDirectory(t)
  const random = randomFrom(laneSeed)
  await writeNotingPlugin(root, 1)
  const acknowledged: number[] = []
  let served = 1
  for (let kill = 0; ; kill += 1) {
    const host = new Host(t, [root, tier, String(1_000 * kill)])
    const held = await host.ready
    const about = `seed ${laneSeed}, kill ${kill}`
    check(held, { acknowledged, served, about })
    served = held.version
    const updates = Math.max(...(await readdir(join(root, 'plugins'))).map((name) => Number(name.slice(1)))) - 1
    if (updates >= least) {
      await host.kill()
      return { kills: kill, updates, notes: acknowledged.length }
    }
    assert.ok(kill < 10 * least, `${about}: hosts are killed before they do anything`)
    await sleep(random() * longestMs[tier])
    await host.kill()
    assert.deepEqual(host.failures, [], about)
    acknowledged.push(...host.noted)
    served = Math.max(served, host.served)
  }
}

/** The version is none older than one that was seen to serve, it reads what is stored, and nothing acknowledged is missing. */
function check(
  held: Held,
  { acknowledged, served, about }: { readonly acknowledged: readonly number[]; readonly served: number; readonly about: string },
): void {
  const { stateVersion, isBroken } = notingVersion(held.version)
  assert.ok(held.version >= served, `${about}: ${held.version} serves, ${served} served before`)
  assert.ok(!isBroken)
  assert.deepEqual([held.form, held.fileForm], [`form ${stateVersion}`, `form ${stateVersion}`], about)
  const there = new Set(held.notes)
  assert.deepEqual(
    acknowledged.filter((note) => !there.has(note)),
    [],
    `${about}: acknowledged writes are gone`,
  )
  assert.equal(there.size, held.notes.length, `${about}: a write is there twice`)
}

/** One run of the host, from its start to its kill. */
class Host {
  readonly ready: Promise<Held>
  readonly noted: number[] = []
  readonly failures: string[] = []
  served = 0
  readonly #child: ReturnType<typeof spawn>
  readonly #read: Promise<void>

  constructor(t: TestContext, given: readonly [root: string, tier: string, firstNote: string]) {
    const conditions = process.execArgv.filter((argument) => argument.startsWith('--conditions'))
    const args = [...conditions, program, ...given]
    const child = spawn(process.execPath, args, { stdio: ['ignore', 'pipe', 'pipe'] })
    t.after(() => child.kill('SIGKILL'))
    this.#child = child
    const { promise, resolve, reject } = Promise.withResolvers<Held>()
    this.ready = promise
    let errors = ''
    child.stderr.on('data', (chunk: Buffer) => (errors += chunk.toString()))
    child.once('exit', (code) => reject(new Error(`the host ended with ${code}: ${errors}`)))
    this.#read = this.#take(createInterface({ input: child.stdout }), resolve)
  }

  async kill(): Promise<void> {
    this.#child.kill('SIGKILL')
    if (this.#child.exitCode === null && this.#child.signalCode === null) await once(this.#child, 'exit')
    await this.#read
  }

  async #take(lines: AsyncIterable<string>, ready: (held: Held) => void): Promise<void> {
    for await (const line of lines) {
      const [word, rest] = [line.slice(0, line.indexOf(' ')), line.slice(line.indexOf(' ') + 1)]
      if (word === 'ready') ready(JSON.parse(rest) as Held)
      else if (word === 'noted') this.noted.push(Number(rest))
      else if (word === 'serves') this.served = Math.max(this.served, Number(rest.split('.')[2]))
      else if (word === 'failed') this.failures.push(rest)
    }
  }
}

/** Numbers from 0 up to 1, always the same for a seed. Source: Lehmer's generator, Park and Miller 1988. */
function randomFrom(start: number): () => number {
  let state = start % 2_147_483_647
  return () => {
    state = (state * 48_271) % 2_147_483_647
    return state / 2_147_483_647
  }
}
