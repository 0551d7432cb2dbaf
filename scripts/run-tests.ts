/*
 * What `npm test` runs: every test of the repository, or those whose path contains one of the arguments. At the end it
 * lists what took longest, and what was skipped and why; with BACKPLANE_CI=1 a skip is a failure.
 */
import { globSync, mkdtempSync, rmSync } from 'node:fs'
import { availableParallelism, tmpdir } from 'node:os'
import { join } from 'node:path'
import { run } from 'node:test'
import { spec } from 'node:test/reporters'
import { groupTests } from './test-groups.ts'
import { root } from './workspaces.ts'

const globs = [
  'packages/**/src/**/*.test.ts',
  'apps/**/src/**/*.test.ts',
  'scripts/*.test.ts',
  'examples/**/*.test.ts',
  'scenarios/**/*.test.ts',
  'bench/**/*.test.ts',
]

/** A file that takes longer hangs; the long forms of some (`KILLS=200`) need more. */
const fileTimeoutMs = Number(process.env['FILE_TIMEOUT_SECONDS'] ?? 300) * 1_000

/** How many of the files that took longest are named at the end. */
const slowestShown = Number(process.env['SLOWEST'] ?? 12)

const filters = process.argv.slice(2)
const files = globSync(globs, { cwd: root, exclude: (path) => /(?:^|\/)(?:node_modules|dist)$/.test(path) })
  .filter((path) => filters.length === 0 || filters.some((filter) => path.includes(filter)))
  // Scenarios first: they take longest, and what comes last must be short for all processors to be busy to the end.
  .sort()
  .toReversed()

if (files.length === 0) {
  process.stderr.write(`no test file matches ${filters.join(' ')}\n`)
  process.exit(1)
}

// Many processes load the same TypeScript: read once, it takes half the time.
process.env['NODE_COMPILE_CACHE'] ??= join(root, 'node_modules', '.cache', 'node')
const groups = mkdtempSync(join(tmpdir(), 'backplane-tests-'))
process.once('exit', () => rmSync(groups, { recursive: true }))

const skipped: string[] = []
// One more than there are processors: a third of the time is waiting for limits, deadlines and what is told to take its time.
const events = run({
  files: [...groupTests(files, root, groups)],
  cwd: root,
  concurrency: availableParallelism() + 1,
  execArgv: ['--conditions=@backplane/source'],
  timeout: fileTimeoutMs,
})
const tookMs = new Map<string, number>()
/** How long the tests of a file took, whatever process it shared. */
const note = ({ nesting, file, details }: { nesting: number; file?: string; details: { duration_ms: number } }): void => {
  if (nesting !== 0 || file === undefined) return
  const path = file.replace(`${root}/`, '')
  tookMs.set(path, (tookMs.get(path) ?? 0) + details.duration_ms)
}
events.on('test:fail', (failed) => {
  process.exitCode = 1
  note(failed)
})
events.on('test:pass', (passed) => {
  note(passed)
  const { name, skip, file } = passed
  if (skip === undefined || skip === false) return
  const where = file === undefined ? '' : `${file.replace(`${root}/`, '')}: `
  skipped.push(`${where}${name}${typeof skip === 'string' && skip !== '' ? `: ${skip}` : ''}`)
})
events.compose(new spec()).pipe(process.stdout)
events.on('end', () => {
  // After the reporter's own last lines.
  setImmediate(() => {
    const slowest = [...tookMs].toSorted(([, one], [, other]) => other - one).slice(0, slowestShown)
    const lines = slowest.map(([file, ms]) => `  ${String(Math.round(ms / 1000)).padStart(4)} s  ${file}\n`)
    process.stdout.write(`\nlongest:\n${lines.join('')}`)
    if (skipped.length === 0) return
    process.stdout.write(`\nskipped:\n${skipped.map((line) => `  ${line}\n`).join('')}`)
    if (process.env['BACKPLANE_CI'] !== '1') return
    process.stdout.write('a skip hides something: with BACKPLANE_CI=1 it is a failure\n')
    process.exitCode = 1
  })
})
