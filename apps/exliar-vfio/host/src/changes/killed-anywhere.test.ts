import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { mkdir, mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after as afterAll, before as beforeAll, test, type TestContext } from 'node:test'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { madeTree } from '../fixtures/materialise.ts'
import { combinations, passthroughChanges, passthroughFiles, passthroughPlan } from '../fixtures/passthrough-machine.ts'
import { treeSnapshot } from '../fixtures/tree-snapshot.ts'
import { apply } from './apply.ts'
import { openChanges } from './open-changes.ts'
import { cleanup, rollback } from './undo.ts'

const run = promisify(execFile)
const fixture = fileURLToPath(new URL('../fixtures/killed-changes.ts', import.meta.url))

/** Kills for each combination and operation, spread so that together they meet every moment. `KILLS=all` kills at each of them. */
const kills = process.env['KILLS'] === 'all' ? Number.POSITIVE_INFINITY : Number(process.env['KILLS'] ?? 1)

type Operation = 'apply' | 'cleanup'

interface Killing {
  readonly combination: number
  readonly what: Operation
  readonly point: number
}

const command = ['--conditions=@backplane/source', fixture]
/** Where Node keeps what it compiled of these files: a process that is killed leaves nothing there, so one ends by itself first. */
let compiled = ''

beforeAll(async () => {
  compiled = await mkdtemp(join(tmpdir(), 'exliar-compiled-'))
  await mkdir(join(compiled, 'root'))
  await run(process.execPath, [...command, join(compiled, 'root'), '0', 'cleanup', '0'], {
    env: { NODE_COMPILE_CACHE: compiled },
  })
})

afterAll(() => rm(compiled, { recursive: true, force: true }))

/** Does it in a process of its own, which kills itself at the moment. */
async function kill(root: string, { combination, what, point }: Killing): Promise<void> {
  const args = [...command, root, String(combination), what, String(point)]
  await assert.rejects(run(process.execPath, args, { env: { NODE_COMPILE_CACHE: compiled } }), { signal: 'SIGKILL' })
}

/** How many moments there are in one operation. */
async function countPoints(t: TestContext, { combination, what }: Omit<Killing, 'point'>): Promise<number> {
  const { root } = await machine(t, { combination, what })
  let points = 0
  const options = { ...passthroughChanges(root), atPoint: () => void points++ }
  await using changes = await openChanges(options)
  const chosen = combinations[combination] ?? assert.fail()
  if (what === 'apply') await apply(changes, { title: 'all', stages: passthroughPlan(options.tree, chosen).stages })
  else await cleanup(changes)
  return points
}

async function machine(
  t: TestContext,
  { combination, what }: Omit<Killing, 'point'>,
): Promise<{ root: string; before: Readonly<Record<string, string>> }> {
  const chosen = combinations[combination] ?? assert.fail()
  const root = await madeTree(t, passthroughFiles(chosen))
  const before = named(treeSnapshot(root))
  if (what === 'cleanup') {
    const options = passthroughChanges(root)
    await using changes = await openChanges(options)
    await apply(changes, { title: 'all', stages: passthroughPlan(options.tree, chosen).stages })
  }
  return { root, before }
}

/** How the double writes a link is its own business; where it leads is looked at by name. */
function named(snapshot: Readonly<Record<string, string>>): Readonly<Record<string, string>> {
  return Object.fromEntries(
    Object.entries(snapshot).map(([path, entry]) => [path, entry.startsWith('link') ? (entry.split('/').at(-1) ?? '') : entry]),
  )
}

function pointsOf(all: number, index: number): readonly number[] {
  if (kills >= all) return Array.from({ length: all }, (_, at) => at + 1)
  const step = all / (kills * combinations.length)
  return Array.from({ length: kills }, (_, at) => 1 + Math.floor((at * combinations.length + index) * step))
}

test('a machine on which applying was killed is taken back by the script alone, from a rescue system', async (t) => {
  const combination = combinations.findIndex(({ initramfs }) => initramfs === 'initramfs-tools')
  const all = await countPoints(t, { combination, what: 'apply' })
  for (const share of [0.2, 0.5, 0.9]) {
    const { root, before } = await machine(t, { combination, what: 'apply' })
    const point = Math.ceil(all * share)
    await kill(root, { combination, what: 'apply', point })
    await run('sh', [`${root}/var/lib/exliar-vfio/cleanup.sh`, root])
    assert.deepEqual(withoutSys(named(treeSnapshot(root))), withoutSys(before), `moment ${point}`)
  }
})

/** A rescue system has functions of its own; what drives them is none of the script's business. */
function withoutSys(snapshot: Readonly<Record<string, string>>): Readonly<Record<string, string>> {
  return Object.fromEntries(Object.entries(snapshot).filter(([path]) => !path.startsWith('sys')))
}

for (const what of ['apply', 'cleanup'] as const) {
  test(`${what} killed at any moment: what comes after finishes the undo, and every byte is as it was`, async (t) => {
    for (const [combination, { bootloader, initramfs }] of combinations.entries()) {
      const all = await countPoints(t, { combination, what })
      for (const point of pointsOf(all, combination)) {
        const { root, before } = await machine(t, { combination, what })
        const name = `${bootloader}, ${initramfs}, ${what}, moment ${point} of ${all}`
        await kill(root, { combination, what, point })
        await using changes = await openChanges(passthroughChanges(root))
        const report = what === 'apply' ? await rollback(changes) : await cleanup(changes)
        assert.ok(report === undefined || report.complete, name)
        await changes[Symbol.asyncDispose]()
        assert.deepEqual(named(treeSnapshot(root)), before, name)
      }
    }
  })
}
