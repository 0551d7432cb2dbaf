import assert from 'node:assert/strict'
import { test } from 'node:test'
import { nowMs, subjectOf } from './fixtures/acme.ts'
import { defaultScanLimits, judge, readPolicy, scanTree, type Finding, type ModuleAdvisory, type RuleResult } from './index.ts'

const file = (path: string, value: object | string): { path: string; bytes: Uint8Array } => ({
  path,
  bytes: Buffer.from(typeof value === 'string' ? value : JSON.stringify(value)),
})
const files = [
  file('plugin.json', {}),
  file('node_modules/lodash/package.json', { name: 'lodash', version: '4.17.20' }),
  file('node_modules/renamed/package.json', { name: '@acme/fork', version: '1.0.0' }),
  file('node_modules/a/node_modules/@acme/deep/package.json', { name: '@acme/deep', version: '2.0.0' }),
  file('node_modules/a/lib/package.json', { type: 'module' }),
]
const lodash: ModuleAdvisory = {
  id: 'GHSA-35jh',
  module: 'lodash',
  versions: '<4.17.21',
  summary: 'runs what it is given',
  action: 'disable',
  url: 'https://example.org/GHSA-35jh',
}

function advisory(advisories: readonly ModuleAdvisory[], findings?: readonly Finding[]): RuleResult | undefined {
  const policy = readPolicy({ allowUnsigned: true, moduleAdvisories: advisories })
  const verdict = judge({ ...subjectOf(), ...(findings === undefined ? {} : { findings }) }, policy, nowMs)
  return verdict.rules.find(({ rule }) => rule === 'advisory')
}

test('modules that a package brings along are found by the folder they lie in and by what they call themselves', () => {
  const modules = scanTree(files).flatMap(({ module }) => (module === undefined ? [] : [`${module.name} ${module.version}`]))
  assert.deepEqual(modules, ['lodash 4.17.20', 'renamed 1.0.0', '@acme/fork 1.0.0', '@acme/deep 2.0.0'])
  const few = scanTree(files, { ...defaultScanLimits, modules: 1 })
  assert.equal(few.at(-1)?.rule, 'static/not-scanned')
})

test('an advisory about a module refuses what brings it along, with its place and what to do', () => {
  const findings = scanTree(files)
  assert.deepEqual(advisory([lodash], findings), {
    rule: 'advisory',
    outcome: 'refused',
    reason: 'GHSA-35jh: runs what it is given (lodash <4.17.21; 4.17.20 is in node_modules/lodash/package.json)',
    fix: `Install a version of ${subjectOf().id} that brings another lodash along; see https://example.org/GHSA-35jh.`,
    file: 'node_modules/lodash/package.json',
  })
  assert.match(advisory([{ ...lodash, action: 'warn' }], findings)?.reason ?? '', /^warned: GHSA-35jh/)
  assert.equal(advisory([{ ...lodash, versions: '<4' }], findings)?.outcome, 'passed')
  assert.match(advisory([lodash])?.reason ?? '', /no scanner has looked for modules/)
})

test('an advisory about what is no module is no policy', () => {
  for (const module of ['', '../lodash', 'a b', '@acme/']) {
    assert.throws(() => readPolicy({ moduleAdvisories: [{ ...lodash, module }] }), { code: 'TRUST_POLICY_INVALID' }, module)
  }
})
