import { spawnSync } from 'node:child_process'
import { readdirSync } from 'node:fs'
import { loadavg } from 'node:os'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import type { Ratio } from './rpc/contest.ts'

/*
 * Runs every bench of this folder in turn, or those named, each in a process of its own, and sums up the targets.
 *   npm run bench -- [name …] [--quick] [--json]
 * `--quick` measures little of everything: for whether a bench works, not for its numbers.
 */

/** What a bench prints with `--json`. */
interface Result {
  readonly title: string
  readonly numbers: Readonly<Record<string, Readonly<Record<string, number>>>>
  readonly ratios: readonly Ratio[]
}

const folder = import.meta.dirname
const benches = readdirSync(folder)
  .filter((name) => name.endsWith('.ts') && name !== 'run.ts')
  .map((name) => name.slice(0, -'.ts'.length))
  .sort()
const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: { json: { type: 'boolean', default: false }, quick: { type: 'boolean', default: false } },
})
const unknown = positionals.filter((name) => !benches.includes(name))
if (unknown.length > 0) {
  console.error(`There is no bench ${unknown.join(', ')}. There are: ${benches.join(', ')}.`)
  process.exit(2)
}

const quick = { ROUNDS: '2', MIB: '128' }
const flags = ['--json', ...(values.quick ? ['--quick'] : [])]
const results: Record<string, Result | { readonly failed: string }> = {}
for (const name of positionals.length > 0 ? positionals : benches) {
  const { status, signal, stdout, stderr } = spawnSync(
    process.execPath,
    [...process.execArgv, join(folder, `${name}.ts`), ...flags],
    { encoding: 'utf8', env: { ...process.env, ...(values.quick ? quick : {}) }, maxBuffer: 16 * 1024 ** 2 },
  )
  results[name] = status === 0 ? (JSON.parse(stdout) as Result) : { failed: `${signal ?? `exit ${status}`}: ${stderr.trim()}` }
  if (!values.json) show(name, results[name])
}
if (values.json) console.log(JSON.stringify(results, undefined, 2))
if (Object.values(results).some((result) => 'failed' in result)) process.exitCode = 1

function show(name: string, result: Result | { readonly failed: string }): void {
  console.log(`\n${name}: ${'failed' in result ? `FAILED, ${result.failed}` : result.title}`)
  if ('failed' in result) return
  for (const [title, rows] of Object.entries(result.numbers)) {
    console.log(`  ${title}`)
    for (const [who, value] of Object.entries(rows)) console.log(`    ${who.padEnd(50)} ${value.toPrecision(4).padStart(12)}`)
  }
  for (const { name: ratio, value, target, met } of result.ratios) {
    console.log(`  ${met ? 'met   ' : 'MISSED'} ${ratio}: ${value.toFixed(2)} (target ${target})`)
  }
  console.log(`  load average ${(loadavg()[0] ?? 0).toFixed(1)}`)
}
