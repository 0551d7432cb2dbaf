import assert from 'node:assert/strict'
import { test, type TestContext } from 'node:test'
import { requireProgram } from '@backplane/testing'
import { limits, quantile, Stage, type Excess, type LimitedTier, type Seen } from './stage.ts'

const all: readonly LimitedTier[] = ['os', 'process', 'contained']
const processes: readonly LimitedTier[] = ['os', 'process']
const mebibyte = 1024 ** 2

/** One way over a limit, and where it has to be stopped. */
interface Claim extends Excess {
  readonly title: string
  readonly tiers: readonly LimitedTier[]
  /** What the time counts from, where the plugin cannot say that it is over: so long after the call, ms. */
  readonly overAfterMs?: number
}

const claims: readonly Claim[] = [
  {
    title: 'memory, in its heap',
    tiers: all,
    limit: 'memory',
    until: 'ended',
    run: (stage) => stage.run('heap', { limitMiB: limits.memoryMiB }),
  },
  {
    title: 'memory, in buffers',
    tiers: processes,
    limit: 'memory',
    until: 'ended',
    run: (stage) => stage.run('buffers', { limitMiB: limits.memoryMiB }),
  },
  {
    title: 'memory, as WebAssembly',
    tiers: processes,
    limit: 'memory',
    until: 'ended',
    run: (stage) => stage.run('wasm', { limitMiB: limits.memoryMiB }),
  },
  {
    title: 'its share of a processor',
    tiers: ['process'],
    limit: 'cpu',
    until: 'ended',
    own: { cpuPercent: 20 },
    run: (stage) => stage.run('burn', { forMs: 15_000 }),
  },
  {
    title: 'the time of a call',
    tiers: all,
    limit: 'time',
    until: 'refused',
    own: { timeoutMs: 500 },
    run: (stage) => stage.run('never'),
    overAfterMs: 500,
  },
  {
    title: 'the time its event loop may stand still',
    tiers: all,
    limit: 'stall',
    until: 'ended',
    own: { stallMs: 1_000 },
    run: (stage) => stage.run('spin'),
    overAfterMs: 1_000,
  },
  {
    title: 'calls at once',
    tiers: all,
    limit: 'concurrency',
    until: 'refused',
    own: { timeoutMs: 500 },
    run: (stage) => {
      for (let at = 0; at < limits.concurrency; at++) stage.run('never').catch(() => undefined)
      return stage.run('echo')
    },
  },
  {
    title: 'open files',
    tiers: ['process'],
    limit: 'open-files',
    until: 'ended',
    run: (stage) => stage.run('files', { limit: limits.openFiles, count: 300 }),
  },
  {
    title: 'the bytes of its data',
    tiers: processes,
    limit: 'data',
    until: 'ended',
    run: (stage) => stage.run('data', { limitMiB: limits.dataBytes / mebibyte, megabytes: 40 }),
  },
  {
    title: 'the files of its data',
    tiers: processes,
    limit: 'data',
    until: 'ended',
    run: (stage) => stage.run('names', { limit: limits.dataFiles, count: 600 }),
  },
  {
    title: 'the size of a message',
    tiers: all,
    limit: 'message',
    until: 'refused',
    run: (stage) => stage.run('large', { bytes: limits.messageBytes + 1 }),
  },
  {
    title: 'what it may log, past the session, without end',
    tiers: all,
    limit: 'output',
    until: 'ended',
    run: (stage) => stage.run('flood', { forMs: 5_000 }),
  },
]

for (const tier of all) {
  test(
    `in ${tier}, a plugin over any of its limits is stopped and named, and its neighbour goes on`,
    { timeout: 240_000 },
    async (t) => {
      if (tier === 'os' && !requireProgram(t, 'bwrap', 'bubblewrap')) return
      const stage = await Stage.make(t, tier)
      for (const claim of claims) {
        if (!claim.tiers.includes(tier)) continue
        const seen = await stage.see(claim)
        assert.deepEqual(
          [seen.named?.plugin, seen.named?.limit],
          ['demo/worker', claim.limit],
          evidence(stage, claim.title, seen),
        )
        assert.notEqual(seen.code, undefined, claim.title)
        report(t, tier, claim, seen)
      }
      if (tier === 'os') await someAreHeld(t, stage)
      assert.equal(stage.kernel.plugins.get('demo/neighbour')?.lastExit, undefined, 'the neighbour never ended')
    },
  )
}

/** In the sandbox some cannot be gone over: a file too many does not open, and there is no more of a processor. */
async function someAreHeld(t: TestContext, stage: Stage): Promise<void> {
  const open = (): Promise<unknown> => stage.run('files', { limit: limits.openFiles, count: 300 })
  const files = await stage.see({ limit: 'open-files', until: 'refused', run: open })
  assert.equal(files.answer, 'EMFILE', evidence(stage, 'open files', files))
  t.diagnostic(`os | open files | EMFILE in the plugin | ${figures(files)}`)
  const burnt = (): Promise<unknown> => stage.run('burn', { forMs: 2_500 })
  const burn = await stage.see({ limit: 'cpu', until: 'refused', own: { cpuPercent: 50 }, run: burnt })
  assert.equal(burn.answer, 'burnt', evidence(stage, 'its share of a processor', burn))
  // Whether it wanted more than it got, and is named for that, depends on what else the machine does.
  const named = stage.kernel.plugins.get('demo/worker')?.violations.cpu === undefined ? '' : ', and named'
  t.diagnostic(`os | its share of a processor | held${named} | ${figures(burn)}`)
}

/** Of what came otherwise. */
function evidence(stage: Stage, title: string, { code, named }: Seen): string {
  return JSON.stringify([title, code, named, stage.kernel.plugins.get('demo/worker')?.lastExit])
}

/** A row of the table in docs/performance.md. */
function report(t: TestContext, tier: string, { title, overAfterMs = 0 }: Claim, seen: Seen): void {
  const after = Math.max(0, seen.stoppedAfterMs - (seen.saidOver ? 0 : overAfterMs)).toFixed(0)
  const from = seen.saidOver ? 'said' : overAfterMs > 0 ? 'limit' : 'call'
  t.diagnostic(`${tier} | ${title} | ${after} ms from ${from} | ${figures(seen)}`)
}

/** The neighbour's calls: median and 99th percentile, before → during. */
function figures({ before, during }: Seen): string {
  const of = (values: readonly number[]): string => `${quantile(values, 0.5).toFixed(1)} / ${quantile(values, 0.99).toFixed(1)}`
  return `${of(before)} → ${of(during)} ms (${during.length})`
}
