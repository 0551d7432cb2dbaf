import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { readFileSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { requireProgram } from '@backplane/testing'
import { fileProblems } from './names.ts'
import { root } from './workspaces.ts'

/** Put together here so that this file does not name them. */
const forbidden = [['', 'work', ''].join('/'), ['', 'tmp', 'brief'].join('/'), ['registry', 'npmjs', 'org'].join('.')]

test('file names say what a file does, files are short, and no file names one machine or registry', (t) => {
  if (!requireProgram(t, 'git', 'git')) return
  const listing = execFileSync('git', ['ls-files', '--cached', '--others', '--exclude-standard', '-z'], { cwd: root })
  const paths = new Set(listing.toString().split('\0').filter(isThere))
  assert.ok(paths.size > 0)
  const problems = [...paths].flatMap((path) => fileProblems(path, readFileSync(join(root, path), 'utf8'), forbidden))
  assert.deepEqual(problems, [])
})

test('half of all source files have at most 120 lines', (t) => {
  if (!requireProgram(t, 'git', 'git')) return
  const listing = execFileSync('git', ['ls-files', '-z', 'packages/*/src/*.ts', 'apps/*/src/*.ts'], { cwd: root })
  const paths = listing.toString().split('\0').filter(isThere)
  const lengths = paths.map((path) => readFileSync(join(root, path), 'utf8').split('\n').length - 1)
  const median = lengths.sort((one, other) => one - other)[Math.floor(lengths.length / 2)] ?? 0
  assert.ok(median <= 120, `${median} lines`)
})

const wrong: readonly (readonly [path: string, text: string, problem: RegExp])[] = [
  ['packages/sdk/src/utils.ts', '', /does not say/],
  ['packages/sdk/src/helpers/load.ts', '', /does not say/],
  ['packages/sdk/src/types.ts', '', /does not say/],
  ['packages/sdk/src/constants.test.ts', '', /does not say/],
  ['packages/sdk/src/plugin-manager.ts', '', /does not say/],
  ['packages/sdk/src/plugin-service.ts', '', /does not say/],
  ['packages/sdk/src/pluginLoader.ts', '', /kebab-case/],
  ['packages/sdk/src/long.ts', 'x\n'.repeat(401), /401 lines/],
  ['docs/setup.md', `\ncd ${forbidden[0]}main`, /docs\/setup\.md:2: names/],
  ['.npmrc', `${forbidden[2]}`, /one machine/],
]

for (const [path, text, problem] of wrong) {
  test(`${path} (${text.length} characters) is refused`, () => {
    assert.match(fileProblems(path, text, forbidden).join('\n'), problem)
  })
}

test('good names, 400 lines and a lock file that names its registry are fine', () => {
  assert.deepEqual(fileProblems('packages/sdk/src/point.types.ts', 'x\n'.repeat(400), forbidden), [])
  assert.deepEqual(fileProblems('package-lock.json', forbidden.join(), forbidden), [])
  assert.deepEqual(fileProblems('packages/kernel/src/generated/manifest-check.ts', 'x\n'.repeat(4_000), forbidden), [])
})

/** Not deleted, and no submodule. */
function isThere(path: string): boolean {
  return path !== '' && statSync(join(root, path), { throwIfNoEntry: false })?.isFile() === true
}
