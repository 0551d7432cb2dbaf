import { execFileSync } from 'node:child_process'
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Start } from './many/measure.ts'
import { writePluginTree } from './many/plugin-tree.ts'
import { atMost, median, print } from './rpc/contest.ts'

/**
 * Declared plugins in a directory: time until a kernel is ready, without an index and with one, and what each costs in
 * memory. Every start is a fresh process; `ROUNDS` sets how many of each. The disk's cache is warm.
 */

const rounds = Number(process.env['ROUNDS'] ?? 5)
const sizes = process.argv.includes('--quick') ? [100, 1_000] : [100, 1_000, 10_000]
const script = join(import.meta.dirname, 'many', 'measure.ts')
const root = mkdtempSync(join(tmpdir(), 'backplane-bench-'))

function start(directory: string, state: string, plugins: number, index: boolean): Start {
  const args = ['--expose-gc', ...process.execArgv, script, directory, state, String(plugins), ...(index ? ['--index'] : [])]
  return JSON.parse(execFileSync(process.execPath, args, { encoding: 'utf8' })) as Start
}

const ready = new Map<string, number>()
const processor = new Map<string, number>()
const heap = new Map<string, number>()
const refresh = new Map<string, number>()
try {
  for (const plugins of sizes) {
    const directory = join(root, String(plugins))
    const state = join(root, `state-${plugins}`)
    mkdirSync(state)
    writePluginTree(directory, plugins)
    // Folders that changed a moment ago are not taken as settled, and the first start with an index writes it.
    await new Promise((resolve) => setTimeout(resolve, 1_000))
    start(directory, state, plugins, true)
    for (const [name, index] of [
      ['cold', false],
      ['from the index', true],
    ] as const) {
      const starts = Array.from({ length: rounds }, () => start(directory, state, plugins, index))
      const key = `${plugins}, ${name}`
      const of = (part: keyof Start): number => median(starts.map((one) => one[part]))
      ready.set(key, of('readyMs'))
      processor.set(key, of('cpuMs'))
      heap.set(key, of('heapBytesEach'))
      refresh.set(key, of('refreshMs'))
    }
  }
} finally {
  rmSync(root, { recursive: true, force: true })
}

const most = `${sizes.at(-1) ?? 0}`
const of = (rows: ReadonlyMap<string, number>, name: string): number => rows.get(`${most}, ${name}`) ?? Number.NaN
print(
  'Declared plugins',
  { 'ms until ready': ready, 'ms of processor time': processor, 'bytes of heap each': heap, 'ms to look again': refresh },
  [
    atMost(`${most} plugins, cold: ms until ready`, of(ready, 'cold'), 1_000),
    atMost(`${most} plugins, from the index: ms until ready`, of(ready, 'from the index'), 200),
    atMost(`${most} plugins: bytes of heap each`, of(heap, 'cold'), 5 * 1024),
  ],
)
