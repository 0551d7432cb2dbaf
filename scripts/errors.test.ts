import assert from 'node:assert/strict'
import { globSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { readErrorCatalogues } from './error-catalogues.ts'
import { errorsPage } from './errors-page.ts'
import { root } from './workspaces.ts'

const catalogues = await readErrorCatalogues()

test('every error code is provoked by a test', () => {
  const globs = ['{packages,apps}/**/src/**/*.test.ts', '{scenarios,examples}/**/*.test.ts', 'packages/testing/src/*-contract.ts']
  const files = globSync(globs, { cwd: root, exclude: (path) => /(?:^|\/)(?:node_modules|dist)$/.test(path) })
  const tests = files.map((file) => readFileSync(join(root, file), 'utf8')).join('\n')
  const mentioned = new Set(tests.match(/[A-Z][A-Z0-9]*(?:_[A-Z0-9]+)+/g))
  const unprovoked = catalogues.flatMap(({ package: name, specs }) => {
    return specs.filter(([code]) => !mentioned.has(code)).map(([code]) => `${name}: ${code}`)
  })
  assert.deepEqual(unprovoked, [])
})

/** What shells have for what was broken off (128 and the number of SIGINT); others above 125 are theirs. */
const brokenOffExit = 130

/** A sentence, or a place for one that only who throws the error can write. */
const hintForm = /^(?:[A-Z].*[.]|\{[a-z]+\})$/

test('codes are AREA_REASON; hints are one sentence; statuses and exits are in range', () => {
  const problems = catalogues.flatMap(({ specs }) => {
    return specs.flatMap(([code, { status, exit, hint }]) => {
      const isWell = /^[A-Z][A-Z0-9]*(?:_[A-Z0-9]+)+$/.test(code) && hintForm.test(hint)
      const isExit = (exit > 0 && exit < 126) || exit === brokenOffExit
      const isInRange = status >= 400 && status < 600 && isExit
      return isWell && isInRange ? [] : [code]
    })
  })
  assert.deepEqual(problems, [])
})

test('a code that two packages share means the same in both', () => {
  const seen = new Map<string, string>()
  for (const { specs } of catalogues) {
    for (const [code, { status, exit, retryable }] of specs) {
      const meaning = JSON.stringify([status, exit, retryable])
      assert.equal(seen.get(code) ?? meaning, meaning, code)
      seen.set(code, meaning)
    }
  }
})

test('the page names every code with its hint', () => {
  const page = errorsPage([
    { package: 'demo', specs: [['DEMO_BAD', { message: 'a|b <c>', status: 400, exit: 64, retryable: true, hint: 'Do it.' }]] },
  ])
  assert.match(page, /## demo\n[^]*\| `DEMO_BAD` \| a\\\|b &lt;c> \| 400 \| 64 \| yes \| Do it\. \|/)
})
